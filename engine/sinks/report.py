"""The report: one HTML page for a run, and its model card, written at the end of the run.

The page is self-contained: no script, font or picture from elsewhere. engine/report/ decides what
it shows, and `report.html.j2` how it looks; the template escapes all text of the run, and the
drawings escape theirs.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from engine import figure_page, run_annotations, units
from engine.context import SinkContext
from engine.drawing import picture, timeline
from engine.durable import write_whole
from engine.events import RunState, StageState
from engine.numerals import number
from engine.report import card, charts, comparison, data, folds, headline, links, steps
from engine.run_annotations import Annotations
from engine.vocabulary import Event
from engine.wording import command_line, duration, grouped, is_stand_in, moment, plural, stand_ins

FILE = "report.html"
MOST_DRAWN = 60  # stages of a readable graph
MOST_ROWS = 200
MOST_FAILURES = 24
_CODE = re.compile(r"`([^`]+)`")


class Sink:
    """Writes `report.html` and `model_card.md` into the run's folder."""

    writes_files = True

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        threading.Thread(target=template, daemon=True).start()  # while the stages run

    def show(self, event: Event, state: RunState) -> None:
        """Write the report when the run has ended."""
        if event["event"] != "run_finished":
            return
        text = card.card(self._run_dir, state)
        if text is not None:
            write_whole(self._run_dir / card.FILE, text.encode(), durable=False)
        write(state, self._run_dir)

    def close(self) -> str:
        """Do nothing: nothing stays open between events."""
        return ""


def sink(context: SinkContext) -> Sink:
    """Return the report of the run."""
    return Sink(context.run_dir)


def write(state: RunState, run_dir: Path) -> None:
    """Write the page into the run's folder."""
    write_whole(run_dir / FILE, render(state, run_dir).encode(), durable=False)


def render(state: RunState, run_dir: Path | None = None) -> str:
    """Return the whole page; without the run's folder it has no links and no previous run."""
    sections = charts.sections(state)
    view = {
        **_view(state),
        **_drawings(state),
        **_neighbours(state, run_dir),
        "sections": sections,
        "style": f"{figure_page.style(charts.kinds(sections))}\n{timeline.STYLE}",
        "policy": figure_page.POLICY,
    }
    page: str = template().render(view)
    return page


@cache
def template() -> Any:
    """Return the compiled page.

    A run compiles it while its stages run, so that its end need not wait for it.
    """
    from engine.drawing import page  # heavy, and only needed here

    filters = {
        "duration": duration,
        "number": number,
        "moment": moment,
        "plural": plural,
        "exact": _exact,
        "prose": _prose,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "yaml": comparison.plain,
    }
    return page.template(Path(__file__).with_suffix(".html.j2"), filters)


def _exact(value: float | None, metric: str) -> str:
    return units.exact(metric, value)


def _prose(text: str) -> Any:
    """Return the escaped text, with words in backticks as code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _view(state: RunState) -> dict[str, Any]:
    """Return the page's text and tables."""
    stages = list(state.stages.values())
    shown = _most_telling(stages)
    metrics = [(s, name, value) for s in stages for name, value in s.metrics.items()]
    return {
        "run": state,
        "start": state.start,
        "verdict": headline.verdict(state),
        "tiles": headline.tiles(state),
        "assets": (assets := data.of_run(state)),
        "samples": [one.name for one in assets if one.is_sample],
        "commit": card.commit(state),
        "command": command_line(state),
        "stand_ins": stand_ins(state),
        "is_stand_in": is_stand_in,
        "counts": _counts(stages),
        "stages": shown,
        "not_shown": len(stages) - len(shown),
        "left_out": grouped(state.start.get("left_out") or {}),
        "metrics": metrics[:MOST_ROWS],
        "metrics_count": len(metrics),
        "metrics_left_out": max(0, len(metrics) - MOST_ROWS),
        "gates": [(s.name, gate) for s in stages for gate in s.gates],
        "folds": folds.of_run(state),
        "notes": _notes(state)[:MOST_ROWS],
        "failures": [(s, s.failure) for s in stages if s.failure][:MOST_FAILURES],
        "most_drawn": MOST_DRAWN,
    }


def _neighbours(state: RunState, run_dir: Path | None) -> dict[str, Any]:
    """Return links to the files of the run, and the comparison with the previous run."""
    before = comparison.previous(run_dir) if run_dir else None
    return {
        "files": links.of_run(run_dir),
        "steps": steps.of_run(state, run_dir),
        "stage_links": links.of_stages(run_dir, state),
        "logs": {s.name: links.of_log(run_dir, s) for s in state.stages.values() if s.failure},
        "annotations": run_annotations.read(run_dir) if run_dir else Annotations(),
        "comparison": comparison.compare(before, state) if before else None,
        "before": before.metrics if before else {},
    }


def _counts(stages: Iterable[StageState]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for stage in stages:
        name = "cached" if stage.cached and stage.state == "finished" else stage.state
        counts[name] = counts.get(name, 0) + 1
    return list(counts.items())


def _most_telling(stages: list[StageState]) -> list[StageState]:
    """Return the stages to list, in the plan's order; if there are too many, cached stages are left
    out first.
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
    """Return each note once, with its stages."""
    stages: dict[str, list[str]] = {text: [] for text in state.notes}
    for stage in state.stages.values():
        for text in stage.notes:
            stages.setdefault(text, []).append(stage.name)
    return [
        (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""), text)
        for text, names in stages.items()
    ]


def _drawings(state: RunState) -> dict[str, str]:
    dag = _dag(state) if 0 < len(state.stages) <= MOST_DRAWN else ""
    bars = [bar for stage in state.stages.values() if (bar := _bar(stage, state))]
    longest = sorted(bars, key=lambda bar: -bar.seconds)[:MOST_DRAWN]
    drawn = timeline.timeline(sorted(longest, key=lambda bar: bar.start)) if longest else ""
    return {"dag": dag, "timeline": drawn}


def _dag(state: RunState) -> str:
    """Draw the stages by name, state and time, small enough for a phone; the table describes them."""
    nodes, edges = picture.of_run(state)
    names = {f"asset:{one.key}": one.name for one in data.of_run(state)}
    short = [replace(node, lines=(names.get(node.name) or node.lines[-1],)) for node in nodes]
    return picture.svg(short, edges)


def _bar(stage: StageState, state: RunState) -> timeline.Bar | None:
    """Return the stage's bar, whose length is the time in the table; None if it did not run."""
    if stage.started is None or stage.seconds is None:
        return None
    began = stage.started - state.start.get("time", 0.0)
    return timeline.Bar(stage.name, began, stage.seconds, stage.state)
