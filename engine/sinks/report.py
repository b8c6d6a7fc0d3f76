"""The report: one page of HTML for one run, written when the run has ended.

The page needs nothing but itself: no script, no font, no picture from elsewhere. What is shown is
decided here, how it looks in `report.html.j2`, which escapes every word of the run; the drawings
escape their own.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engine.context import SinkContext
from engine.drawing import charts, opgraph, picture
from engine.events import RunState, StageState
from engine.vocabulary import Event
from engine.wording import command_line, duration, is_stand_in, moment, number, plural, stand_ins

MOST_DRAWN = 60  # stages of a DAG that a reader can still follow
MOST_ROWS = 200
MOST_CHARTS = 24
ROLES = ("train_", "val_", "validation_", "test_")  # curves of one quantity share a chart


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
    view = {
        **_view(state),
        **_drawings(state),
        "curves": _curves(state),
        "matrices": _figures(state, "confusion_matrix", _matrix),
        "op_graphs": _figures(state, "op_graph", _op_graph),
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
        charts.Bar(s.name, (s.started or 0) - began, (s.ended or 0) - began, s.state) for s in ran
    ]
    longest = sorted(bars, key=lambda bar: bar.start - bar.end)[:MOST_DRAWN]
    timeline = charts.timeline(sorted(longest, key=lambda bar: bar.start)) if longest else ""
    return {"dag": dag, "timeline": timeline}


def _curves(state: RunState) -> list[tuple[str, str]]:
    found = [
        (stage.name, charts.lines(quantity, series))
        for stage in state.stages.values()
        for quantity, series in _quantities(stage).items()
    ]
    return found[:MOST_CHARTS]


def _quantities(stage: StageState) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return the stage's curves by quantity: `loss` holds both `loss` and `val_loss`."""
    quantities: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, step, value, _ in stage.points:
        role = next((role for role in ROLES if name.startswith(role)), "")
        curves = quantities.setdefault(name.removeprefix(role), {})
        curves.setdefault(name, []).append((step, value))
    return quantities


def _figures(
    state: RunState, kind: str, draw: Callable[[Mapping[str, Any]], str]
) -> list[tuple[str, str]]:
    found = [
        (f"{stage.name}: {figure['name']}", draw(figure))
        for stage in state.stages.values()
        for figure in stage.figures
        if figure["kind"] == kind
    ]
    return found[:MOST_CHARTS]


def _matrix(figure: Mapping[str, Any]) -> str:
    return charts.heat_map([str(label) for label in figure["labels"]], figure["matrix"])


def _op_graph(figure: Mapping[str, Any]) -> str:
    nodes = [
        opgraph.Op(str(node["type"]), bool(node["mapped"]), node["reason"] and str(node["reason"]))
        for node in figure["nodes"]
    ]
    return opgraph.svg(nodes, [(source, target) for source, target in figure["edges"]])
