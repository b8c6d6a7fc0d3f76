"""Starts the sender of an outputs folder, unless one is running."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from engine.mlflow import cursor as cursors
from engine.mlflow.backend import Backend
from engine.mlflow.queue import Queue

_ROOT = Path(__file__).resolve().parents[2]


class SenderStarter:
    """Knows the sender that serves one backend, and starts it."""

    def __init__(
        self, outputs: Path, backend: Backend, pace: Mapping[str, float] | None = None
    ) -> None:
        self._outputs, self._backend, self._pace = outputs, backend, pace or {}
        self._key = backend.sender_key()
        self._started: str | None = None  # the identity of a sender that was started here
        self.queue = Queue(outputs, self._key)

    def start_if_needed(self) -> None:
        """Start a sender if none is running. Write the request first."""
        if not self.queue.has_sender():
            self._start()

    def has_sender(self) -> bool:
        """Return whether a sender is running or starting."""
        return self._is_starting() or self.queue.has_sender()

    def _is_starting(self) -> bool:
        if self._started is None:
            return False
        with suppress(ChildProcessError):
            os.waitpid(int(self._started.partition(":")[0]), os.WNOHANG)
        return cursors.is_alive(self._started)

    def _start(self) -> None:
        """Start a sender in its own session, and send its settings through a pipe."""
        where = {"outputs": str(self._outputs), "key": self._key}
        order = {"backend": self._backend.to_json(), "pace": dict(self._pace), **where}
        with self.queue.log.open("wb") as log:
            sender = subprocess.Popen(
                [sys.executable, "-m", "engine.mlflow.sender"],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert sender.stdin is not None
        with suppress(BrokenPipeError), sender.stdin as pipe:
            pipe.write(json.dumps(order).encode())
        self._started = cursors.identity(sender.pid)
        sender.returncode = 0  # it continues alone; else Popen would warn that it still runs
