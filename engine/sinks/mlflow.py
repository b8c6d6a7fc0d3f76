"""Records a run in MLflow: writes a request for the sender of the outputs folder, and starts one if
needed.

A slow or unavailable MLflow delays nothing, and the engine's process does not import mlflow.
"""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from engine.context import SinkContext
from engine.events import RunState
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import resolve
from engine.mlflow.queue import RunRequest
from engine.mlflow.start import SenderStarter
from engine.vocabulary import Event

_MOMENT_S = 1.0
_POLL_S = 0.05
_LONGEST_WAIT_S = 5.0
_WAIT_SHARE = 0.1  # of the run's own time


class Sink:
    """Writes the request and, at the end, waits a limited time until it is served.

    A very short run writes it at its end and does not wait, because importing MLflow would take
    processor time from its stages.
    """

    writes_files = False

    def __init__(self, run_dir: Path, outputs: Path, tracking: Mapping[str, object]) -> None:
        self._run_dir, self._backend = run_dir.absolute(), resolve(outputs, tracking)
        self._starter = SenderStarter(outputs.absolute(), self._backend)
        self._started_s = time.monotonic()
        self._engine = cursors.identity(os.getpid())
        self._one_at_a_time = threading.Lock()
        self._is_closed = False
        self._timer = threading.Timer(_MOMENT_S, self._request)
        self._timer.daemon = True
        self._timer.start()

    def show(self, event: Event, state: RunState) -> None:
        """Do nothing: the sender reads the journal itself."""

    def close(self) -> str:
        """Report the run's files as complete, wait briefly, and return the outcome of the
        recording.
        """
        self._timer.cancel()
        if not self._is_closed:
            ran_s = time.monotonic() - self._started_s
            self._request(is_complete=True)
            if ran_s > _MOMENT_S:  # else a sender has just got the request
                self._wait(min(_LONGEST_WAIT_S, _WAIT_SHARE * ran_s))
        return f"MLflow: {self.outcome}"

    @property
    def outcome(self) -> str:
        """Return the outcome of the recording as a sentence."""
        is_waiting = self._is_waiting()  # before reading the cursor, which the sender writes first
        cursor = cursors.load(self._run_dir, self._backend.key)
        if cursor.is_closed:
            page = "to browse it: python run.py mlflow"
            return f"recorded ({page if self._backend.is_database else self._backend.shown})"
        if is_waiting and cursor.problem is None:
            return "still being recorded in the background"
        why = cursor.problem or f"the sender ended early, see {self._starter.queue.log}"
        return f"unavailable ({why}); to send the run later: python run.py sync"

    def _request(self, is_complete: bool = False) -> None:
        with self._one_at_a_time:
            if self._is_closed:
                return
            self._is_closed = is_complete
            self._starter.queue.put(RunRequest(self._run_dir, self._engine, is_complete))
            self._starter.start_if_needed()

    def _is_waiting(self) -> bool:
        """Return whether a sender has the request, or will find it."""
        return self._starter.queue.has(self._run_dir) and self._starter.has_sender()

    def _wait(self, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while self._is_waiting() and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)


def sink(context: SinkContext) -> Sink | None:
    """Return what records the run in MLflow, or None if tracking is disabled."""
    if not context.tracking["enabled"]:
        return None
    return Sink(context.run_dir, context.outputs, context.tracking)
