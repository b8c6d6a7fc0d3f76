"""Shows a run: as a live table on a terminal, otherwise as one line for each important event.

This file and engine/ending.py make the lines. The table is engine/drawing/live.py; it needs rich,
and is imported only for a terminal.
"""

import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from engine import ending
from engine.context import SinkContext
from engine.events import RunState, StageState
from engine.numerals import number
from engine.pace import Pace
from engine.vocabulary import Event
from engine.wording import (
    as_typed,
    changes,
    command_line,
    duration,
    in_short,
    is_stand_in,
    plural,
    printable,
)

if TYPE_CHECKING:
    from engine.drawing.live import Table

FEW = 3  # if more stages have the same outcome, they are counted instead of named
MOST_METRICS = 5  # on a stage's line
LOUD = {
    "run_started": "bold",
    "job_failed": "red",
    "gate": "red",
}  # events, and the style of their first line on a terminal
PROGRESS_S = 30.0  # between two progress lines of a stage
ENDINGS = {
    "failed": "failed",
    "timeout": "timed out",
    "killed": "was killed",
    "input_changed": "failed, an input changed",
    "bad_output": "failed, an output is wrong",
    "disk_full": "failed, the disk is full",
    "disk_error": "failed, the disk reports an error",
    "out_of_memory": "ran out of memory",
    "daemon_lost": "failed, its container engine stopped",
    "device_lost": "failed, the connection to the device was lost",
    "no_device": "failed, its device is missing",
    "image_missing": "failed, its image is missing",
    "wrong_platform": "failed, its image is for another platform",
    "no_command": "failed, its image lacks the program",
    "bus_error": "failed with a bus error",
}


class Sink:
    """Prints events as they happen. `plain` is chosen by the stream unless it is given."""

    writes_files = False

    def __init__(
        self,
        stream: TextIO,
        *,
        plain: bool | None = None,
        run_dir: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream, self._run_dir, self._clock = stream, run_dir, clock
        self._plain = not _is_terminal(stream) if plain is None else plain
        # outcome -> its stages, printed once something else happens
        self._held: dict[str, list[str]] = {}
        self._noted: set[str] = set()
        self._pace = Pace()
        self._reported: dict[str, float] = {}  # when each stage started or last had a progress line
        self._table: Table | None = None

    def show(self, event: Event, state: RunState) -> None:
        """Print the event; on an error, restore the terminal."""
        try:
            self._show(event, state)
        except BaseException:
            self.close()
            raise

    def close(self) -> str:
        """Restore the terminal and print what is held back; closing twice is harmless."""
        if self._table is not None:
            self._table.stop()
            self._table = None
        self._print_held()
        return ""

    def _show(self, event: Event, state: RunState) -> None:
        self._pace.show(event)
        if event["event"] == "run_started" and not self._plain:
            self._table = self._open_table()
        if self._table is not None:
            self._table.update(state)
        if event["event"] == "run_finished":
            self._end(state)
        elif (outcome := _outcome(event)) and self._table is None:
            self._held.setdefault(outcome, []).append(event["stage"])
        elif found := self._lines(event, state):
            self._print_held()
            if self._table is None:
                self._print(found)
            else:
                self._table.tell(_worth_keeping(event, found), LOUD.get(event["event"], ""))

    def _lines(self, event: Event, state: RunState) -> list[str]:
        """Return the lines for this event. A repeated note has none, and progress has one from time
        to time.
        """
        if event["event"] == "note":
            if event["text"] in self._noted:
                return []
            self._noted.add(event["text"])
        if event["event"] == "progress":
            return self._progress(event)
        if event["event"] == "job_started":
            self._reported[event["stage"]] = event["time"]
        return list(lines(event, state, self._run_dir))

    def _progress(self, event: Event) -> list[str]:
        stage, now_s = event["stage"], event["time"]
        if event["total"] <= 0 or now_s - self._reported.get(stage, now_s) < PROGRESS_S:
            return []
        self._reported[stage] = now_s
        parts = [f"{event['done']:g} of {event['total']:g}", event["message"]]
        left_s = self._pace.left_s(stage, now_s)
        parts.append("" if left_s is None else f"{duration(left_s)} left")
        return [f"{stage}: {', '.join(filter(None, parts))}"]

    def _end(self, state: RunState) -> None:
        table = self._table
        self.close()
        last = list(ending.lines(state, self._run_dir))
        if table is not None:
            table.conclude(state.status, ending.headline(state), last)
        else:
            self._print([ending.headline(state), *map(ending.aligned, last)])

    def _open_table(self) -> "Table":
        from engine.drawing.live import Table

        return Table(self._stream, self._clock, self._pace)

    def _print_held(self) -> None:
        held, self._held = self._held, {}
        for outcome, stages in held.items():
            if len(stages) <= FEW:
                self._print([f"{stage} {outcome}" for stage in stages])
            else:
                self._print([f"{plural(len(stages), 'stage')} {outcome}"])

    def _print(self, printed: list[str]) -> None:
        if printed:
            self._stream.write("".join(printable(line) + "\n" for line in printed))
            self._stream.flush()


def sink(context: SinkContext) -> Sink:
    """Return the sink that shows the run on the user's terminal."""
    return Sink(context.stream, run_dir=None if context.is_temporary else context.run_dir)


def lines(event: Event, state: RunState, run_dir: Path | None = None) -> Iterator[str]:
    """Yield the lines of text for an event; most events have none."""
    kind = event["event"]
    stage = state.stages.get(event.get("stage") or "")
    if kind == "run_started":
        if sweep := event.get("sweep"):
            yield _job_of(sweep)
        about = f"{event['usecase']} on {event['target']} ({event['platform']})"
        yield f"{about}: {plural(len(state.stages), 'stage')}, run {_run(event)}"
        if changed := [word for word in changes(state) if word not in _varied(event)]:
            yield f"changed: {shlex.join(changed)}"
    elif kind == "note":
        yield f"{stage.name}: {event['text']}" if stage else f"note: {event['text']}"
    elif stage and kind == "job_started":
        yield f"{stage.name} started" + (
            f" again, attempt {event['attempt']}" if event["attempt"] > 1 else ""
        )
    elif stage and kind == "job_finished":
        yield _finished(stage, str(state.start.get("objective") or ""))
    elif stage and kind == "job_failed":
        yield from _failed(stage, event, state, run_dir)
    elif stage and kind == "gate" and not (event["passed"] and stage.cached):
        yield f"{stage.name}: {_verdict(event)}"


def _job_of(sweep: Mapping[str, Any]) -> str:
    """Return which job of the sweep runs: `job 2 of 4 · learning_rate=1e-3 epochs=10`."""
    count = f" of {sweep['jobs']}" if sweep["jobs"] else ""
    return " · ".join(filter(None, [f"job {sweep['job']}{count}", in_short(sweep["changes"])]))


def _varied(event: Event) -> Sequence[str]:
    """Return the overrides that distinguish the job of a sweep, which are shown elsewhere."""
    sweep = event.get("sweep")
    return list(sweep["changes"]) if sweep else []


def _run(event: Event) -> str:
    """Return the run's name and id."""
    name = event.get("name")
    return f"{name} ({event['run_id']})" if name else str(event["run_id"])


def _verdict(event: Event) -> str:
    if event["passed"] is None:
        return f"{event['metric']} was not measured, so its gate ({event['rule']}) is not evaluated"
    verdict = "passes" if event["passed"] else "fails"
    return f"{event['metric']} {number(event['value'])} {verdict} the gate ({event['rule']})"


def _outcome(event: Event) -> str:
    """Return what happened to the stage if it is likely to happen to many; otherwise empty."""
    if event["event"] == "job_cached":
        return "cached"
    return f"skipped: {event['because']}" if event["event"] == "job_skipped" else ""


def _worth_keeping(event: Event, found: list[str]) -> list[str]:
    """Return those of the lines that the table does not show."""
    is_kept = event["event"] in ("run_started", "note", "job_failed")
    return found if is_kept or (event["event"] == "gate" and not event["passed"]) else []


def _finished(stage: StageState, objective: str) -> str:
    ordered = sorted(stage.metrics.items(), key=lambda pair: f"{stage.name}.{pair[0]}" != objective)
    shown = [f"{name} {number(value)}" for name, value in ordered[:MOST_METRICS]]
    if len(ordered) > MOST_METRICS:
        shown.append(f"and {len(ordered) - MOST_METRICS} more")
    metrics = ", ".join(shown)
    where = f" ({stage.measured_on or 'emulated'})" if is_stand_in(stage) and metrics else ""
    return f"{stage.name} finished in {duration(stage.seconds)}" + (
        f": {metrics}{where}" if metrics else ""
    )


def _failed(
    stage: StageState, event: Event, state: RunState, run_dir: Path | None
) -> Iterator[str]:
    ending = f"{stage.name} {ENDINGS.get(event['kind'], event['kind'])} after {duration(event['seconds'])}"
    if event["retry_in_s"] is not None:
        when = f"attempt {event['attempt'] + 1} in {duration(event['retry_in_s'])}"
        yield f"{ending}: {event['message']}; {when}"
        return
    yield f"{ending}: {event['message']}"
    for line in (event["log_tail"] or "").splitlines():
        if line.removeprefix("error: ") != event["message"]:  # a StageError's, which is above
            yield f"  | {line}"
    log = Path(event["log"])
    if run_dir is not None or log.is_absolute():
        yield f"  full log: {as_typed((run_dir or Path()) / log)}"
    yield f"  resume with: {command_line(state)}"


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
