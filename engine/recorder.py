"""Makes events durable, then shows them to the sinks. A sink that fails is no longer used."""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from engine import layout, run_files
from engine.errors import UserError
from engine.events import JobFailed, JobSkipped, Note, RunFinished, RunState, StageState, replay
from engine.interfaces import Sink
from engine.journal import Journal
from engine.vocabulary import Event, RunStatus


class Recorder:
    """Writes a run's events to its journal, then passes them to its sinks."""

    def __init__(
        self,
        run_dir: Path,
        journal: Journal,
        sinks: Iterable[Sink],
        *,
        points_latest: bool = True,  # whether `latest` names the run if it is complete
    ) -> None:
        self.state = RunState()
        self._points_latest = points_latest
        self._run_dir, self._journal, self._sinks = run_dir, journal, list(sinks)

    def emit(self, *events: Event) -> None:
        """Append the events and show them."""
        if not events:
            return
        for event in self._journal.append(*events):
            replay([event], self.state)
            self._show(self._sinks, event, self.state)

    def finish(self, status: RunStatus, seconds: float) -> RunState:
        """Record that the run is over, and return its final state.

        Files for users are written before the last event: a reader of that event finds all of them.
        """
        last = RunFinished(event="run_finished", status=status, seconds=seconds)
        final = self._write_files(last)
        is_latest = self._points_latest and final.is_complete
        in_the_way = layout.point_latest(self._run_dir) if is_latest else ""
        self.emit(last)
        run_files.seal(self._run_dir)
        if in_the_way:
            _warn(in_the_way)
        return final

    def give_up(self, error: Exception, seconds: float) -> None:
        """Record that the run ended here and why, as far as the disk allows."""
        if not self._journal.is_still_there():
            return
        why = f"the run could not continue: {_cause(error)}"
        ends: list[Event] = [
            Note(event="note", stage=None, text=why),
            *open_stages(self.state, why),
        ]
        last = RunFinished(event="run_finished", status="failed", seconds=seconds)
        try:
            self.emit(*ends)
        except OSError:  # there may still be room for the files below
            replay([{**event, "time": time.time()} for event in ends], self.state)
        with suppress(OSError):
            self._write_files(last)
        with suppress(OSError):
            self.emit(last)
        run_files.seal(self._run_dir)

    def _write_files(self, last: RunFinished) -> RunState:
        """Write run.json and metrics.json, and let sinks write their files, all as of the last event."""
        final = replay([{**last, "time": time.time()}], self.state)
        run_files.write_contract(self._run_dir, final)
        early = [sink for sink in self._sinks if sink.writes_files]
        self._show(early, cast(Event, last), final)
        self._sinks = [sink for sink in self._sinks if not sink.writes_files]
        return final

    def _show(self, sinks: Sequence[Sink], event: Event, state: RunState) -> None:
        for sink in list(sinks):
            try:
                sink.show(event, state)
            except Exception as error:
                _warn(f"{type(sink).__module__} failed and is switched off: {error!r}")
                self._sinks = [one for one in self._sinks if one is not sink]


def open_stages(state: RunState, why: str) -> list[Event]:
    """Return the missing final events of the stages of an ended run.

    Running stages were killed, and waiting stages are skipped.
    """
    ends: list[Event] = []
    for stage in state.stages.values():
        if stage.state == "running":
            ends.append(_killed(stage, why))
        elif stage.state == "waiting":
            ends.append(JobSkipped(event="job_skipped", stage=stage.name, because=why))
    return ends


def _cause(error: Exception) -> str:
    """Return the error in one line."""
    if isinstance(error, ExceptionGroup):
        return "; ".join(map(_cause, error.exceptions))
    if isinstance(error, UserError):
        return f"{error.where}: {error.what}"
    return error.strerror if isinstance(error, OSError) and error.strerror else repr(error)


def _killed(stage: StageState, why: str) -> JobFailed:
    return JobFailed(
        event="job_failed",
        stage=stage.name,
        attempt=stage.attempt,
        seconds=max(0.0, time.time() - (stage.started or time.time())),
        kind="killed",
        message=why,
        log=stage.log or "",
        log_tail="",
        retry_in_s=None,
    )


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")
