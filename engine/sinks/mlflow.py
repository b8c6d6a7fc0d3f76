"""Records a run in MLflow through a process of its own, which follows the journal.

An MLflow that is slow or away delays nothing, and nothing of mlflow is imported in the engine's process.
`python -m engine.mlflow.sender RUN_DIR` is that process.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.context import SinkContext
from engine.events import RunState
from engine.interfaces import Event
from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend, resolve

_ROOT = Path(__file__).resolve().parents[2]
_MOMENT_S = 1.0
_LONGEST_WAIT_S = 5.0
_WAIT_SHARE = 0.1  # of the run's own time


class Sink:
    """Starts the sender and, at the end, waits for it for a bounded time.

    A run that is over in a moment is over before its sender starts: importing MLflow would take the
    processors from its stages.
    """

    writes_files = False

    def __init__(self, run_dir: Path, outputs: Path, settings: Mapping[str, Any]) -> None:
        self._run_dir, self._backend = run_dir.absolute(), resolve(outputs, settings)
        self._started_s = time.monotonic()
        self._child: subprocess.Popen[bytes] | None = None
        self._begins = threading.Lock()
        self._timer = threading.Timer(_MOMENT_S, self._sender)
        self._timer.daemon = True
        self._timer.start()

    def show(self, event: Event, state: RunState) -> None:
        """The sender reads the journal itself."""

    def close(self) -> str:
        """Tell the sender that the run's files are complete, wait briefly, and return what became of it."""
        self._finish()
        return f"MLflow: {self.outcome}"

    def _finish(self) -> None:
        self._timer.cancel()
        child = self._sender()
        if child.stdin is None or child.stdin.closed:
            return
        try:
            child.stdin.write(b"\n")  # a forked stage may hold a copy of the pipe: closing alone says nothing
            child.stdin.close()
            child.wait(min(_LONGEST_WAIT_S, _WAIT_SHARE * (time.monotonic() - self._started_s)))
        except subprocess.TimeoutExpired:
            child.returncode = -1  # it goes on alone; Popen would warn of it as forgotten
        except BrokenPipeError:
            pass

    @property
    def outcome(self) -> str:
        """Say what became of the record, in a sentence."""
        cursor = cursors.load(self._run_dir, self._backend.key)
        if cursor.is_closed:
            page = "python run.py mlflow opens its page"
            return f"recorded in MLflow ({page if self._backend.is_database else self._backend.shown})"
        if self._child is not None and self._child.returncode == -1 and cursor.problem is None:
            return "still being sent to MLflow in the background"
        why = cursor.problem or f"the sender ended early, see {self._run_dir / 'mlflow.log'}"
        return f"MLflow is away ({why}): python run.py sync sends it later"

    def _sender(self) -> "subprocess.Popen[bytes]":
        with self._begins:
            self._child = self._child or _spawn(self._run_dir, self._backend)
            return self._child


def sink(context: SinkContext) -> Sink | None:
    """Return what records the run in MLflow, or None if the configuration wants none."""
    if not context.tracking["enabled"]:
        return None
    return Sink(context.run_dir, context.outputs, context.tracking)


def _spawn(run_dir: Path, backend: Backend) -> "subprocess.Popen[bytes]":
    """Start the sender, away from the run's signals, and tell it through a pipe what to do."""
    command = [sys.executable, "-m", "engine.mlflow.sender", str(run_dir)]
    with (run_dir / "mlflow.log").open("ab") as log:
        child = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    request = {"backend": backend.to_json(), "engine": cursors.identity(os.getpid())}
    assert child.stdin is not None
    child.stdin.write(json.dumps(request).encode() + b"\n")
    child.stdin.flush()
    return child
