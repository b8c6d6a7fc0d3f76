"""The run on the terminal: a live table if it is one, else one line for each event that matters.

The lines are made here; the table, which needs rich, is engine/drawing/live.py, imported only for a
terminal.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from engine.context import SinkContext
from engine.events import RunState, StageState
from engine.numerals import number
from engine.vocabulary import Event
from engine.wording import as_typed, command_line, duration, is_stand_in, plural, stand_ins

if TYPE_CHECKING:
    from engine.drawing.live import Table

FEW = 3  # stages with the same fate are named one by one up to here, and counted beyond
ENDINGS = {
    "failed": "failed",
    "timeout": "timed out",
    "killed": "was killed",
    "input_changed": "failed, an input changed",
    "bad_output": "failed, an output is wrong",
    "disk_full": "failed, the disk is full",
    "disk_error": "failed, the disk reports an error",
    "out_of_memory": "ran out of memory",
    "daemon_lost": "was lost with its container engine",
    "device_lost": "was lost with its device",
    "no_device": "found no such device",
    "image_missing": "has no image",
    "wrong_platform": "is of another platform",
    "no_command": "lacks its program",
    "bus_error": "lost its memory under it",
}


class Sink:
    """Says what happens; `plain` is chosen by the stream where it is not given."""

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
        self._held: dict[
            str, list[str]
        ] = {}  # what befell stages, told once something else happens
        self._table: Table | None = None

    def show(self, event: Event, state: RunState) -> None:
        """Say what this event adds; the terminal is as it was before, should anything go wrong."""
        try:
            self._show(event, state)
        except BaseException:
            self.close()
            raise

    def close(self) -> str:
        """Leave the terminal in order; nothing is lost by closing twice."""
        if self._table is not None:
            self._table.stop()
            self._table = None
        self._tell_held()
        return ""

    def _show(self, event: Event, state: RunState) -> None:
        if event["event"] == "run_started" and not self._plain:
            self._table = self._open_table()
        if self._table is not None:
            self._table.update(state)
        if event["event"] == "run_finished":
            self.close()
        if (fate := _fate(event)) and self._table is None:
            self._held.setdefault(fate, []).append(event["stage"])
        elif said := list(lines(event, state, self._run_dir)):
            self._tell_held()
            self._tell(said if self._table is None else _worth_keeping(event, said))

    def _open_table(self) -> "Table":
        from engine.drawing.live import Table

        return Table(self._stream, self._clock)

    def _tell_held(self) -> None:
        held, self._held = self._held, {}
        for fate, stages in held.items():
            if len(stages) <= FEW:
                self._tell([f"{stage} {fate}" for stage in stages])
            else:
                self._tell([f"{plural(len(stages), 'stage')} {fate}"])

    def _tell(self, said: list[str]) -> None:
        if self._table is not None:
            self._table.tell([_printable(line) for line in said])
        elif said:
            self._stream.write("".join(_printable(line) + "\n" for line in said))
            self._stream.flush()


def sink(context: SinkContext) -> Sink:
    """Return what follows the run on the user's terminal."""
    return Sink(context.stream, run_dir=context.run_dir)


def lines(event: Event, state: RunState, run_dir: Path | None = None) -> Iterator[str]:
    """Say the event in lines of text; most events are not worth one."""
    kind = event["event"]
    stage = state.stages.get(event.get("stage") or "")
    if kind == "run_started":
        about = f"{event['usecase']} on {event['target']} ({event['platform']})"
        yield f"{about}: {plural(len(state.stages), 'stage')}, run {event['run_id']}"
    elif kind == "note":
        yield f"{stage.name}: {event['text']}" if stage else f"note: {event['text']}"
    elif kind == "run_finished":
        yield from _ending(state, run_dir)
    elif stage and kind == "job_started":
        yield f"{stage.name} started" + (
            f" again, attempt {event['attempt']}" if event["attempt"] > 1 else ""
        )
    elif stage and kind == "job_finished":
        yield _finished(stage)
    elif stage and kind == "job_failed":
        yield from _failed(stage, event, state, run_dir or Path())
    elif stage and kind == "gate" and not (event["passed"] and stage.cached):
        yield f"{stage.name}: {_verdict(event)}"


def _verdict(event: Event) -> str:
    if event["passed"] is None:
        return f"{event['metric']} was not measured: the gate {event['rule']} is not judged"
    return (
        f"{event['metric']} {number(event['value'])} {'keeps' if event['passed'] else 'breaks'} the "
        f"gate {event['rule']}"
    )


def _fate(event: Event) -> str:
    """Return what befell the stage where many others may share it."""
    if event["event"] == "job_cached":
        return "taken from the store"
    return f"skipped: {event['because']}" if event["event"] == "job_skipped" else ""


def _worth_keeping(event: Event, said: list[str]) -> list[str]:
    """Return what the table does not show of itself."""
    telling = event["event"] in ("run_started", "note", "job_failed")
    return said if telling or (event["event"] == "gate" and not event["passed"]) else []


def _finished(stage: StageState) -> str:
    metrics = ", ".join(f"{name} {number(value)}" for name, value in stage.metrics.items())
    where = f" ({stage.measured_on or 'emulated'})" if is_stand_in(stage) and metrics else ""
    return f"{stage.name} finished in {duration(stage.seconds)}" + (
        f": {metrics}{where}" if metrics else ""
    )


def _failed(stage: StageState, event: Event, state: RunState, run_dir: Path) -> Iterator[str]:
    ending = f"{stage.name} {ENDINGS.get(event['kind'], event['kind'])} after {duration(event['seconds'])}"
    if event["retry_in_s"] is not None:
        when = f"attempt {event['attempt'] + 1} in {duration(event['retry_in_s'])}"
        yield f"{ending}: {event['message']}; {when}"
        return
    yield f"{ending}: {event['message']}"
    yield from (f"  | {line}" for line in (event["log_tail"] or "").splitlines())
    yield f"  the whole log: {as_typed(run_dir / event['log'])}"
    yield f"  to go on from here: {command_line(state)}"


def _ending(state: RunState, run_dir: Path | None) -> Iterator[str]:
    for where, stages in stand_ins(state).items():
        yield f"not measured on the device, but {where}: {', '.join(stages)}"
    if state.status == "interrupted":
        yield f"to go on from here: {command_line(state)}"
    word = "after" if state.status in ("failed", "interrupted") else "in"
    yield f"{state.status} {word} {duration(state.seconds)}: {_counts(state)}" + (
        f"; {as_typed(run_dir)}" if run_dir else ""
    )


def _counts(state: RunState) -> str:
    """Say how many stages ran to their end, came from the store, and began without an end."""
    stages = state.stages.values()
    cached = sum(stage.cached for stage in stages)
    begun = [stage for stage in stages if stage.attempt > 0]
    ran = sum(stage.state in ("finished", "rejected") for stage in begun)
    counts = f"{plural(ran, 'stage')} ran, {cached} from the store"
    return counts + (f", {len(begun) - ran} did not finish" if ran < len(begun) else "")


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _printable(line: str) -> str:
    """Return the line without control characters: a log's escape sequences must not steer the
    terminal.
    """
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
