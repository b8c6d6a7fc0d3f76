"""The console's live table, drawn with rich: a row for each stage of current interest, a line of counts
below, and the closing lines of a run.

It only reads the state, because rich redraws it from its own thread. rich also honours NO_COLOR.
"""

import atexit
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from engine.ending import Line
from engine.events import RunState, StageState
from engine.numerals import number
from engine.pace import Pace
from engine.wording import SYMBOLS, duration, is_stand_in, plural, printable

FEW_CACHED = 3  # more cached stages share one row
MOST_METRICS = 3
NARROW = 60  # columns; narrower terminals have no room for metrics
BAR = 12  # columns
STYLES = {"running": "blue", "finished": "green", "failed": "red", "rejected": "red"}
RANKS = {"failed": 0, "rejected": 0, "running": 1, "waiting": 3, "skipped": 4}  # finished: 2


class Table:
    """A table that follows a run until it is stopped."""

    def __init__(self, stream: TextIO, clock: Callable[[], float], pace: Pace) -> None:
        self._state, self._clock, self._pace = RunState(), clock, pace
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        atexit.register(
            self.stop
        )  # a run that dies without closing its sinks must not leave the cursor hidden
        self._live.start()

    def update(self, state: RunState) -> None:
        """Show this state."""
        self._state = state

    def tell(self, lines: Sequence[str], style: str = "") -> None:
        """Print lines above the table, the first one in this style."""
        for at, line in enumerate(map(printable, lines)):
            self._console.print(Text(line, style="" if at else style))

    def stop(self) -> None:
        """Leave the last table on the screen and restore the cursor."""
        atexit.unregister(self.stop)
        self._live.stop()

    def conclude(self, status: str, headline: str, lines: Sequence[Line]) -> None:
        """Print how the run ended, below the last table."""
        self._console.print(Text(headline, style=f"bold {STYLES.get(status, 'yellow')}"))
        for line in lines:
            style = STYLES["failed"] if line.label == "failed" else ""
            self._console.print(
                Text(f"  {line.label:<9}", style="dim").append(printable(line.text), style=style),
                soft_wrap=True,  # so that a path can be copied as a whole
            )

    def _render(self) -> RenderableType:
        is_narrow = self._console.width < NARROW
        grid = _narrow_grid() if is_narrow else _wide_grid()
        for row in self._rows():
            grid.add_row(*row[: len(grid.columns)])
        if self._state.status != "running":
            return grid
        counts = _counts(self._state, self._elapsed(self._state.start.get("time")))
        return Group(grid, Text(counts, style="dim"))

    def _rows(self) -> list[Sequence[RenderableType]]:
        stages = list(self._state.stages.values())
        cached = [stage for stage in stages if stage.cached and stage.state == "finished"]
        rows: list[Sequence[RenderableType]] = []
        if len(cached) > FEW_CACHED:
            stages = [stage for stage in stages if stage not in cached]
            rows.append(_row("finished", f"{plural(len(cached), 'stage')} cached", "", "", ""))
        room = max(3, self._console.height - 4)
        return rows + [self._stage_row(stage) for stage in _foremost(stages, room)]

    def _stage_row(self, stage: StageState) -> Sequence[RenderableType]:
        seconds = self._elapsed(stage.started) if stage.state == "running" else stage.seconds
        if stage.state != "running":
            facts = _metrics(stage, self._state)
            return _row(stage.state, stage.name, _remark(stage), duration(seconds), facts)
        left_s = self._pace.left_s(stage.name, self._clock())
        message = stage.progress[2] if stage.progress else ""
        bar = _bar(stage, left_s, 0 if self._console.width < NARROW else BAR)
        return _row(stage.state, stage.name, bar, duration(seconds), printable(message))

    def _elapsed(self, since: float | None) -> float | None:
        return None if since is None else max(0.0, self._clock() - since)


def _wide_grid() -> Grid:
    """Return the table's columns: symbol, name, activity, duration, metrics."""
    grid = Grid.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, max_width=32)
    grid.add_column(no_wrap=True, min_width=20, max_width=44)
    grid.add_column(no_wrap=True, justify="right", min_width=8)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    return grid


def _narrow_grid() -> Grid:
    """Return the same columns without metrics, for narrow terminals."""
    grid = Grid.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, max_width=16)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right", min_width=6)
    return grid


def _foremost(stages: list[StageState], room: int) -> list[StageState]:
    """Return as many stages as fit, in the plan's order; priority: failed, running, last ended, next."""
    if len(stages) <= room:
        return stages
    ranked = sorted(stages, key=lambda stage: (RANKS.get(stage.state, 2), -(stage.ended or 0)))
    kept = {stage.name for stage in ranked[:room]}
    return [stage for stage in stages if stage.name in kept]


def _row(
    state: str, name: str, now: RenderableType, took: str, metrics: str
) -> Sequence[RenderableType]:
    style = STYLES.get(state, "dim")
    return (
        Text(SYMBOLS[state], style=style),
        Text(name),
        now,
        Text(took, style="dim"),
        Text(metrics),
    )


def _bar(stage: StageState, left_s: float | None, width: int) -> RenderableType:
    if stage.progress is None or not stage.progress[1]:
        return Text("running", style="blue")
    done, total, _ = stage.progress
    left = "" if left_s is None else f", {_whole(left_s)} left"
    text = Text(f"{100 * done / total:.0f} %{left}", style="dim")
    if not width:
        return text
    grid = Grid.grid(padding=(0, 1, 0, 0))
    bar = ProgressBar(total, done, width=width, complete_style="blue", finished_style="green")
    grid.add_row(bar, text)
    return grid


def _whole(seconds: float) -> str:
    """Return an estimate in whole seconds, since it is not more precise."""
    return f"{max(1, round(seconds))} s" if seconds < 60 else duration(seconds)


def _remark(stage: StageState) -> Text:
    """Return what the symbol does not show: whether it was cached, where it was measured, how it ended."""
    if stage.failure is not None and stage.state == "waiting":
        return Text(f"waiting for attempt {stage.attempt + 1}", style="yellow")
    words: list[str] = [] if stage.state in ("waiting", "finished") else [stage.state]
    words += ["cached"] * stage.cached
    words += [stage.measured_on or "emulated"] * (is_stand_in(stage) and bool(stage.metrics))
    return Text(
        ", ".join(words),
        style=STYLES.get(stage.state, "dim") if stage.state != "finished" else "dim",
    )


def _metrics(stage: StageState, state: RunState) -> str:
    """Return the first metrics, the run's objective before the others."""
    objective = str(state.start.get("objective") or "")
    ordered = sorted(stage.metrics.items(), key=lambda pair: f"{stage.name}.{pair[0]}" != objective)
    return "  ".join(f"{name} {number(value)}" for name, value in ordered[:MOST_METRICS])


def _counts(state: RunState, elapsed: float | None) -> str:
    counts: dict[str, int] = {}
    for stage in state.stages.values():
        counts[stage.state] = counts.get(stage.state, 0) + 1
    parts = [f"{counts[name]} {name}" for name in SYMBOLS if name in counts]
    return " · ".join([*parts, duration(elapsed)])
