"""A run's journal on its way to MLflow: read what is new, send it, remember how far.

Used by the sender beside a live run and by `sync`; whoever calls it holds the run's lock.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.errors import UserError
from engine.mlflow import answer
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend
from engine.mlflow.bounds import Bounds, Exceeded, Watch
from engine.mlflow.client import Recorder
from engine.mlflow.entries import STATUS, Entry, entries
from engine.mlflow.reading import Reader
from engine.wording import redact

_MOST_UNSENT = 20_000  # entries that wait in memory while MLflow is away, and
_MOST_FIGURES = 100  # figures, which may have megabytes each


class NotSent(Exception):
    """MLflow did not take it, now; why, in a sentence."""

    def __init__(self, why: str, is_away: bool) -> None:
        super().__init__(why)
        self.is_away = is_away  # MLflow takes no other run either


class Delivery:
    """One run's way to one MLflow."""

    def __init__(self, run_dir: Path, backend: Backend, bounds: Bounds) -> None:
        self._run_dir, self._backend, self._bounds = run_dir, backend, bounds
        self._reader = Reader(run_dir)
        self._unsent: list[Entry] = []
        self._recorder: Recorder | None = None
        self.cursor = cursors.load(run_dir, backend.key)

    @property
    def is_ended(self) -> bool:
        """Return whether the journal, as far as it has been read, says that the run is over."""
        return self._reader.is_ended

    @property
    def has_started(self) -> bool:
        """Return whether the journal, as far as it has been read, says what the run is."""
        return bool(self._reader.state.start)

    def read(self) -> bool:
        """Take in the journal's next events, and return whether there may be more.

        Takes none while too much is unsent.
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
        """Send what was read; on NotSent nothing is lost and all may be sent again."""
        if self._unsent:
            self._attempt(self._record)

    def close(self) -> None:
        """Send the rest, and end the MLflow run: as the journal says, or as killed if the engine
        died.
        """
        while self.read():
            self.send()
        self._attempt(self._finish)

    def mark(self, **changes: str | None) -> None:
        """Remember something beside how far it is."""
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
        recorder.finish(state, STATUS.get(state.status, "KILLED"))
        self._save(replace(self.cursor, is_closed=True))

    def _attempt(self, act: Callable[[Recorder], None]) -> None:
        """Act on a recorder.

        One that failed is thrown away, so that the next looks again at what is there.
        """
        watch = None
        try:
            importlib.import_module(
                "mlflow.tracking"
            )  # which takes seconds, and is not MLflow's fault
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
    return _sentence(error), "OperationalError" in str(
        error
    )  # SQLAlchemy's, of a database that is away


def _sentence(error: BaseException) -> str:
    if isinstance(error, UserError):
        return redact(f"{error.where}: {error.what}; {error.fix}")
    first = (str(error).encode("utf-8", "replace").decode().splitlines() or [""])[0]
    return redact(f"{type(error).__name__}: {first}")[:400]
