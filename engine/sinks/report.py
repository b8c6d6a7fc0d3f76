"""The report: one page of HTML for one run, written when the run has ended.

The page needs nothing but itself: no script, no font, no picture from elsewhere. What is shown is
decided here, how it looks in `report.html.j2`, which escapes every word of the run; the drawings
escape their own.
"""

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine import figure_kinds, figure_page
from engine.context import SinkContext
from engine.drawing import picture, timeline
from engine.events import RunState, StageState
from engine.figure_kinds import Figure
from engine.numerals import number
from engine.vocabulary import Event
from engine.wording import command_line, duration, is_stand_in, moment, plural, stand_ins

MOST_DRAWN = 60  # stages of a DAG that a reader can still follow
MOST_ROWS = 200
MOST_CHARTS = 24  # figures of one kind
MOST_POINTS = 2_000  # of one curve
ROLES = ("train_", "val_", "validation_", "test_")  # curves of one quantity share a chart

Curves = dict[str, list[tuple[int, float]]]  # of one quantity: name -> (step, value)


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one kind."""

    heading: str
    figures: Sequence[tuple[str, str]]  # title, drawing
    left_out: int


class Sink:
    """Writes `report.html` into the run's folder."""

    writes_files = True

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "report.html"
        threading.Thread(target=template, daemon=True).start()  # while the stages work

    def show(self, event: Event, state: RunState) -> None:
        """Write the report once the run has ended; every other event is only read from the state
        then.
        """
        if event["event"] != "run_finished":
            return
        partial = self._path.with_suffix(".html.part")
        partial.write_text(render(state), encoding="utf-8")
        partial.replace(self._path)

    def close(self) -> str:
        """Nothing is open between two events."""
        return ""


def sink(context: SinkContext) -> Sink:
    """Return the report of the run."""
    return Sink(context.run_dir)


def render(state: RunState) -> str:
    """Return the whole page."""
    figures = list(_figures(state))
    view = {
        **_view(state),
        **_drawings(state),
        "sections": _sections(figures),
        "figure_style": figure_page.style(sorted({figure["kind"] for _, figure in figures})),
        "policy": figure_page.POLICY,
    }
    page: str = template().render(view)
    return page


@cache
def template() -> Any:
    """Return the compiled page.

    A run asks for it while its stages work, so that its end need not wait for it.
    """
    from engine.drawing import page  # heavy, and no other command needs it

    filters = {"duration": duration, "number": number, "moment": moment, "plural": plural}
    return page.template(Path(__file__).with_suffix(".html.j2"), filters)


def _view(state: RunState) -> dict[str, Any]:
    """Return what the page says in words and tables."""
    stages = list(state.stages.values())
    shown = _most_telling(stages)
    metrics = [(s, name, value) for s in stages for name, value in s.metrics.items()]
    return {
        "run": state,
        "start": state.start,
        "command": command_line(state),
        "stand_ins": stand_ins(state),
        "is_stand_in": is_stand_in,
        "counts": _counts(stages),
        "stages": shown,
        "left_out": len(stages) - len(shown),
        "metrics": metrics[:MOST_ROWS],
        "metrics_left_out": max(0, len(metrics) - MOST_ROWS),
        "gates": [(s.name, gate) for s in stages for gate in s.gates],
        "notes": _notes(state)[:MOST_ROWS],
        "failures": [(s, s.failure) for s in stages if s.failure][:MOST_CHARTS],
        "most_drawn": MOST_DRAWN,
    }


def _counts(stages: Iterable[StageState]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for stage in stages:
        name = "from the store" if stage.cached and stage.state == "finished" else stage.state
        counts[name] = counts.get(name, 0) + 1
    return list(counts.items())


def _most_telling(stages: list[StageState]) -> list[StageState]:
    """Return the stages to list, in the plan's order: where there are too many, the store's go
    first.
    """
    if len(stages) <= MOST_ROWS:
        return stages
    weight = {"failed": 0, "rejected": 0, "running": 1, "finished": 2, "waiting": 4, "skipped": 4}
    ranked = sorted(
        stages,
        key=lambda stage: 3 if stage.cached and stage.state == "finished" else weight[stage.state],
    )
    kept = {stage.name for stage in ranked[:MOST_ROWS]}
    return [stage for stage in stages if stage.name in kept]


def _notes(state: RunState) -> list[tuple[str, str]]:
    own = [("", text) for text in state.notes]
    return own + [(stage.name, text) for stage in state.stages.values() for text in stage.notes]


def _drawings(state: RunState) -> dict[str, str]:
    dag = picture.svg(*picture.of_run(state)) if 0 < len(state.stages) <= MOST_DRAWN else ""
    began = state.start.get("time", 0.0)
    ran = [
        s
        for s in state.stages.values()
        if s.started is not None and s.ended is not None and s.ended >= s.started
    ]
    bars = [
        timeline.Bar(s.name, (s.started or 0) - began, (s.ended or 0) - began, s.state) for s in ran
    ]
    longest = sorted(bars, key=lambda bar: bar.start - bar.end)[:MOST_DRAWN]
    drawn = timeline.timeline(sorted(longest, key=lambda bar: bar.start)) if longest else ""
    return {"dag": dag, "timeline": drawn}


def _sections(figures: Iterable[tuple[str, Figure]]) -> list[Section]:
    """Return the drawings by the heading of their kind, in the order in which these first occur."""
    groups: dict[str, list[tuple[str, Figure]]] = {}
    for stage, figure in figures:
        heading = figure_kinds.of(figure["kind"]).HEADING
        groups.setdefault(heading, []).append((f"{stage}: {figure['name']}", figure))
    return [
        Section(
            heading,
            [(title, figure_page.fragment(figure)) for title, figure in group[:MOST_CHARTS]],
            max(0, len(group) - MOST_CHARTS),
        )
        for heading, group in groups.items()
    ]


def _figures(state: RunState) -> Iterator[tuple[str, Figure]]:
    """Yield each stage's curves of metrics and its figures.

    A kind that only a newer version knows is passed over.
    """
    for stage in state.stages.values():
        for quantity, series in _quantities(stage).items():
            yield stage.name, _of_points(quantity, series)
    for stage in state.stages.values():
        for figure in stage.figures:
            if figure["kind"] in figure_kinds.names():
                yield stage.name, figure


def _quantities(stage: StageState) -> dict[str, Curves]:
    """Return the stage's curves by quantity: `loss` holds both `loss` and `val_loss`."""
    quantities: dict[str, Curves] = {}
    for name, step, value, _ in stage.points:
        role = next((role for role in ROLES if name.startswith(role)), "")
        curves = quantities.setdefault(name.removeprefix(role), {})
        curves.setdefault(name, []).append((step, value))
    return quantities


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    stride = math.ceil(len(points) / MOST_POINTS)
    return points if stride < 2 else [*points[::stride], points[-1]]


def _of_points(quantity: str, curves: Curves) -> Figure:
    """Return the figure of metrics that were reported step by step; what is no number is a gap."""
    series = [
        {
            "name": name,
            "x": [float(step) for step, _ in points],
            "y": [float(value) if math.isfinite(value) else None for _, value in points],
        }
        for name, points in ((name, _thinned(points)) for name, points in curves.items())
    ]
    axes = {"x": "step", "y": quantity or "value", "x_unit": None, "y_unit": None}
    return {"kind": "curves", "name": quantity or "value", "series": series, **axes}
