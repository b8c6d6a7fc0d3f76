"""Sends a run's journal to MLflow: reads new events, sends them, and saves the position.

Used by the sender during a run and by `sync`; the caller holds the run's lock.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine import run_annotations
from engine.errors import UserError
from engine.mlflow import answer
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend
from engine.mlflow.bounds import Bounds, Exceeded, Watch
from engine.mlflow.client import Recorder
from engine.mlflow.entries import STATUS, Entry, entries
from engine.mlflow.reading import Reader
from engine.wording import redact

_MOST_UNSENT = 20_000  # entries kept in memory while MLflow is unavailable, and
_MOST_FIGURES = 100  # figures, which may have megabytes each


class NotSent(Exception):
    """MLflow did not accept the entries now; the message says why."""

    def __init__(self, why: str, is_away: bool) -> None:
        super().__init__(why)
        self.is_away = is_away  # MLflow accepts no other run either


class Delivery:
    """The delivery of one run to one MLflow."""

    def __init__(self, run_dir: Path, backend: Backend, bounds: Bounds) -> None:
        self._run_dir, self._backend, self._bounds = run_dir, backend, bounds
        self._reader = Reader(run_dir)
        self._unsent: list[Entry] = []
        self._recorder: Recorder | None = None
        self.cursor = cursors.load(run_dir, backend.key)

    @property
    def is_ended(self) -> bool:
        """Return whether the journal, as far as it was read, shows that the run is over."""
        return self._reader.is_ended

    @property
    def has_started(self) -> bool:
        """Return whether the journal, as far as it was read, describes the run."""
        return bool(self._reader.state.start)

    def read(self) -> bool:
        """Read the journal's next events, and return whether there may be more.

        Read nothing while too much is unsent.
        """
        figures = sum(len(entry.figures) for entry in self._unsent)
        if len(self._unsent) >= _MOST_UNSENT or figures >= _MOST_FIGURES:
            return True
        before = self._reader.seq
        for event in self._reader.step():
            if event["seq"] > self.cursor.seq:
                self._unsent += entries(event, self._reader.state)
        return self._reader.seq > before

    def send(self) -> None:
        """Send what was read; after NotSent nothing is lost, and all of it may be sent again."""
        if self._unsent:
            self._attempt(self._record)

    def close(self) -> None:
        """Send the rest, and end the MLflow run with the journal's status, or as killed if the
        engine died.
        """
        while self.read():
            self.send()
        self._attempt(self._finish)

    def mark(self, **changes: str | None) -> None:
        """Change fields of the cursor other than its position."""
        changed = replace(self.cursor, **changes)  # type: ignore[arg-type]
        if changed != self.cursor:
            self._save(changed)

    def _record(self, recorder: Recorder) -> None:
        recorder.record(self._unsent)
        self._unsent = []
        self._save(replace(self.cursor, seq=self._reader.seq, is_closed=False, problem=None))

    def _finish(self, recorder: Recorder) -> None:
        self._record(recorder)
        state = self._reader.state
        annotated_bytes = run_annotations.size_bytes(self._run_dir)  # more may be added meanwhile
        recorder.finish(state, STATUS.get(state.status, "KILLED"))
        self._save(replace(self.cursor, is_closed=True, annotated_bytes=annotated_bytes))

    def _attempt(self, act: Callable[[Recorder], None]) -> None:
        """Call a recorder.

        A recorder that failed is discarded, so that the next one searches for existing runs again.
        """
        watch = None
        try:
            importlib.import_module("mlflow.tracking")  # takes seconds that MLflow did not cause
            watch = Watch(
                self._bounds, self._backend.is_database and not self._backend.database_path
            )
            with watch.active():
                start = self._reader.state.start
                self._recorder = self._recorder or Recorder(self._backend, self._run_dir, start)
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
    """Return why the attempt failed, and whether the next run would fail too."""
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
    return _sentence(error), "OperationalError" in str(
        error
    )  # SQLAlchemy's error for an unavailable database


def _sentence(error: BaseException) -> str:
    if isinstance(error, UserError):
        return redact(f"{error.where}: {error.what}; {error.fix}")
    first = (str(error).encode("utf-8", "replace").decode().splitlines() or [""])[0]
    return redact(f"{type(error).__name__}: {first}")[:400]
