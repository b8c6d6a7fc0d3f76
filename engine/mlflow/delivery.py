"""A run's journal on its way to MLflow: read what is new, send it, remember how far.

Used by the sender beside a live run and by `sync`; whoever calls it holds the run's lock.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine import journal
from engine.errors import UserError
from engine.events import RunState, replay
from engine.mlflow import answer
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend
from engine.mlflow.bounds import Bounds, Exceeded, Watch
from engine.mlflow.client import Recorder
from engine.mlflow.entries import STATUS, Entry, entries
from engine.wording import redact


class NotSent(Exception):
    """MLflow did not take it, now; why, in a sentence."""

    def __init__(self, why: str, is_away: bool) -> None:
        super().__init__(why)
        self.is_away = is_away  # MLflow takes no other run either


class Delivery:
    """One run's way to one MLflow."""

    def __init__(self, run_dir: Path, backend: Backend, bounds: Bounds) -> None:
        self._run_dir, self._backend, self._bounds = run_dir, backend, bounds
        self._follower = journal.Follower(run_dir / journal.FILE_NAME)
        self._unsent: list[Entry] = []
        self._seq = -1
        self._recorder: Recorder | None = None
        self.state = RunState()
        self.cursor = cursors.load(run_dir, backend.key)

    @property
    def is_ended(self) -> bool:
        """True once the journal has said so."""
        return self.state.status != "running"

    @property
    def damage(self) -> str:
        """Say why the journal cannot be read to its end; empty where it can."""
        return self._follower.damage

    @property
    def is_complete(self) -> bool:
        """True where MLflow has all that the journal says."""
        return self.cursor.is_closed and self.cursor.seq == self._seq

    def read(self) -> None:
        """Take in the journal's new events."""
        for event in self._follower.poll():
            replay([event], self.state)
            self._seq = event["seq"]
            if self._seq > self.cursor.seq and (
                event.get("stage") is None or event["stage"] in self.state.stages
            ):
                self._unsent += entries(event, self.state)

    def send(self) -> None:
        """What was read is in MLflow; on NotSent nothing is lost and all may be sent again."""
        if self._unsent:
            self._attempt(self._record)

    def close(self) -> None:
        """The MLflow run has ended: as the journal says, or killed where the engine died before it could."""
        self._attempt(self._finish)

    def mark(self, **changes: str | None) -> None:
        """Remember something beside how far it is."""
        self._save(replace(self.cursor, **changes))  # type: ignore[arg-type]

    def _record(self, recorder: Recorder) -> None:
        recorder.record(self._unsent)
        self._unsent = []
        self._save(replace(self.cursor, seq=self._seq, is_closed=False, problem=None))

    def _finish(self, recorder: Recorder) -> None:
        recorder.record(self._unsent)
        self._unsent = []
        recorder.finish(self.state, STATUS.get(self.state.status, "KILLED"))
        self._save(replace(self.cursor, seq=self._seq, is_closed=True, problem=None))

    def _attempt(self, act: Callable[[Recorder], None]) -> None:
        """Act on a recorder.

        One that failed is thrown away, so that the next looks again at what is there.
        """
        watch = None
        try:
            importlib.import_module("mlflow.tracking")  # which takes seconds, and is not MLflow's fault
            watch = Watch(self._bounds, self._backend.is_database and not self._backend.database_path)
            with watch.active():
                self._recorder = self._recorder or Recorder(self._backend, self._run_dir, self.state.start)
                act(self._recorder)
        except (Exception, Exceeded) as error:
            self._recorder = None
            why, is_away = _explained(error, watch, self._backend)
            self.mark(problem=why)
            raise NotSent(why, is_away) from error

    def _save(self, cursor: cursors.Cursor) -> None:
        cursors.save(self._run_dir, cursor)
        self.cursor = cursor


def _explained(error: BaseException, watch: Watch | None, backend: Backend) -> tuple[str, bool]:
    """Say why the attempt failed, and whether the next run's would too."""
    if isinstance(error, Exceeded):
        return f"{backend.shown} {error}", True
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed here: install the extra 'tracking'", True
    if watch and watch.is_unanswered:
        return f"{backend.shown} does not answer", True
    if watch and watch.answer:
        problem = answer.problem(backend.shown, watch.answer.status, watch.answer.body)
        if problem:
            return redact(problem), True
    return _sentence(error), "OperationalError" in str(error)  # SQLAlchemy's, of a database that is away


def _sentence(error: BaseException) -> str:
    if isinstance(error, UserError):
        return redact(f"{error.where}: {error.what}; {error.fix}")
    first = (str(error).encode("utf-8", "replace").decode().splitlines() or [""])[0]
    return redact(f"{type(error).__name__}: {first}")[:400]
