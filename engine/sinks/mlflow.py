"""Records a run in MLflow through a process of its own, which follows the journal.

An MLflow that is slow or away delays nothing, and nothing of mlflow is imported in the engine's process.

`python -m engine.sinks.mlflow RUN_DIR` is that process.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.events import Event, RunState
from engine.sinks import _mlflow_cursor as cursors
from engine.sinks import _mlflow_place
from engine.sinks._mlflow_place import Place
from engine.sinks._mlflow_sync import SyncReport, sync

__all__ = ["Sink", "SyncReport", "serve", "sync"]

_ROOT = Path(__file__).resolve().parents[2]
_MOMENT_S = 1.0
_LONGEST_WAIT_S = 5.0
_WAIT_SHARE = 0.1  # of the run's own time


class Sink:
    """Starts the sender and, at the end, waits for it for a bounded time.

    A run that is over in a moment is over before its sender starts: importing MLflow would take the
    processors from its stages.
    """

    def __init__(self, run_dir: Path, outputs: Path, settings: Mapping[str, Any]) -> None:
        self._run_dir, self._place = run_dir.absolute(), _mlflow_place.settle(outputs, settings)
        self._started_s = time.monotonic()
        self._child: subprocess.Popen[bytes] | None = None
        self._begins = threading.Lock()
        self._timer = threading.Timer(_MOMENT_S, self._sender)
        self._timer.daemon = True
        self._timer.start()

    def show(self, event: Event, state: RunState) -> None:
        """The sender reads the journal itself."""

    def close(self) -> None:
        """The sender knows that the run's files are complete, and mostly has sent them."""
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
        cursor = cursors.load(self._run_dir, self._place.key)
        if cursor.is_closed:
            return (
                "recorded in MLflow "
                f"({'python run.py mlflow opens its page' if self._place.is_database else self._place.shown})"
            )
        if self._child is not None and self._child.returncode == -1 and cursor.problem is None:
            return "still being sent to MLflow in the background"
        why = cursor.problem or f"the sender ended early, see {self._run_dir / 'mlflow.log'}"
        return f"MLflow is away ({why}): python run.py sync sends it later"

    def _sender(self) -> "subprocess.Popen[bytes]":
        with self._begins:
            self._child = self._child or _spawn(self._run_dir, self._place)
            return self._child


def serve(outputs: Path, settings: Mapping[str, Any], port: int, say: Callable[[str], None]) -> int:
    """Run MLflow's own page on this machine, on what was recorded, until it is interrupted; say where it is.

    MLflow opens on its pages for language models where the address does not ask for others.
    """
    place = _mlflow_place.settle(outputs, settings)
    if not place.is_database:
        what = "runs are recorded on a server, which has a page of its own"
        raise UserError("tracking.uri", what, f"open {place.shown}")
    say(f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning (Ctrl-C ends it)")
    sync(outputs, settings)  # also makes the database where there is none
    where = ["--host", "127.0.0.1", "--port", str(port), "--default-artifact-root", str(place.artifact_root)]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", *where]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": place.uri,
    }  # not an argument: all can read those
    return subprocess.run(command, env=environment, check=False).returncode


def _spawn(run_dir: Path, place: Place) -> "subprocess.Popen[bytes]":
    """Start the sender, away from the run's signals, and tell it through a pipe what to do."""
    command = [sys.executable, "-m", "engine.sinks.mlflow", str(run_dir)]
    with (run_dir / "mlflow.log").open("ab") as log:
        child = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    request = {"place": place.to_json(), "engine": cursors.identity(os.getpid())}
    assert child.stdin is not None
    child.stdin.write(json.dumps(request).encode() + b"\n")
    child.stdin.flush()
    return child


if __name__ == "__main__":
    from engine.sinks import _mlflow_sender

    sys.exit(_mlflow_sender.main(Path(sys.argv[1])))
