"""The process that sends the journals of an outputs folder to MLflow: `python -m
engine.mlflow.sender`.

One process serves all runs with the same settings, live or ended, and exits when it has been idle
for a while. It gets its settings through standard input, so that no credential is in a command
line.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.mlflow import cursor as cursors
from engine.mlflow import sweep
from engine.mlflow.backend import Backend
from engine.mlflow.bounds import Bounds
from engine.mlflow.client import prepare_environment
from engine.mlflow.delivery import Delivery, NotSent
from engine.mlflow.queue import Queue, RunRequest

TIMEOUT_S = 3
BOUNDS = Bounds(request_s=6, waiting_s=15)

_MOST_AT_ONCE = 200  # runs, each with an open file


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The waiting times of a sender."""

    poll_s: float = 0.25
    idle_s: float = 4.0  # without a run to serve; the next run finds MLflow imported
    retry_s: float = 12.0  # how often an unavailable MLflow is tried during runs
    files_s: float = 10.0  # for the last files of an ended run
    last_tries: int = 3


def main() -> int:
    """Serve until nothing is left to do, or another sender does it."""
    os.nice(10)  # stages have priority
    order = json.loads(sys.stdin.buffer.read())
    backend, pace = Backend(**order["backend"]), Pace(**order["pace"])
    queue = Queue(Path(order["outputs"]), order["key"])
    prepare_environment(backend, TIMEOUT_S)
    while queue.requests():  # again after releasing the lock: a run may have written one meanwhile
        with queue.sender_lock() as is_ours:
            if not is_ours or not queue.is_still_there():
                return 0
            is_stale = Sender(queue, backend, pace).serve()
        if is_stale:
            return _replaced(order)
    return 0


def _replaced(order: Mapping[str, Any]) -> int:
    """Continue in a fresh process: this one has a database open that is no longer at its path."""
    sender = subprocess.Popen(
        [sys.executable, "-m", "engine.mlflow.sender"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert sender.stdin is not None
    with sender.stdin as pipe:
        pipe.write(json.dumps(order).encode())
    return 0


class Sender:
    """Serves the requests of a queue in turns, so that a long run does not keep others waiting."""

    def __init__(self, queue: Queue, backend: Backend, pace: Pace) -> None:
        self._queue, self._backend, self._pace = queue, backend, pace
        self._followed: dict[Path, Following] = {}
        self._circuit = Circuit()
        self._database: tuple[int, int] | None = None  # as it was at the last check

    def serve(self) -> bool:
        """Serve until there has been no request for a while, and return whether the database was
        replaced meanwhile.
        """
        idle_since_s = time.monotonic()
        while time.monotonic() - idle_since_s < self._pace.idle_s and self._queue.is_still_there():
            if self._is_replaced():
                return True
            requests = self._queue.requests()
            for request in requests[:_MOST_AT_ONCE]:
                self._serve_one(request)
            if requests:
                idle_since_s = time.monotonic()
            if not any(following.has_more for following in self._followed.values()):
                time.sleep(self._pace.poll_s)
        return False

    def _is_replaced(self) -> bool:
        """Return whether the database file was replaced or removed since the last check."""
        path = self._backend.database_path
        if path is None:
            return False
        before, self._database = self._database, _identity(path)
        return before is not None and before != self._database

    def _serve_one(self, request: RunRequest) -> None:
        try:
            is_done = self._is_done(request)
        except Exception as error:  # of this run, such as a removed folder; the others continue
            _log(f"{request.run_dir.name}: {type(error).__name__}: {error}")
            is_done = True
        if is_done:
            self._queue.remove(request)
            if following := self._followed.pop(request.run_dir, None):
                following.release()

    def _is_done(self, request: RunRequest) -> bool:
        following = self._followed.get(request.run_dir)
        if following is None:
            run_dir = sweep.last_run(request.run_dir) or request.run_dir
            if run_dir != request.run_dir and self._queue.has(run_dir):
                return False  # the last job of the sweep is recorded first
            following = Following(run_dir, self._backend, self._pace, self._circuit)
            if not following.is_ours:  # `sync` has the lock, and may not finish the run
                following.release()
                return False
            following.begin(request.engine)
            self._followed[request.run_dir] = following
        return following.advance(request)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


class Circuit:
    """A circuit breaker: an unavailable MLflow is not tried again for each run."""

    def __init__(self) -> None:
        self.why = ""  # empty: it was available
        self.next_try_s = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether it is too early to try."""
        return time.monotonic() < self.next_try_s

    def broken(self, why: str, retry_s: float) -> None:
        """Record that MLflow is unavailable."""
        self.why, self.next_try_s = why, time.monotonic() + retry_s


class Following:
    """The delivery of one run, with the run's lock."""

    def __init__(self, run_dir: Path, backend: Backend, pace: Pace, circuit: Circuit) -> None:
        self._stack = ExitStack()
        self.is_ours = self._stack.enter_context(cursors.held(run_dir, 0))
        self._delivery = Delivery(run_dir, backend, BOUNDS)
        self._name, self._pace, self._circuit = run_dir.name, pace, circuit
        self._next_try_s = 0.0
        self._deadline_s: float | None = None
        self._patience_s: float | None = None
        self.has_more = False  # to read, now

    def begin(self, engine: str | None) -> None:
        """Record the run's engine in its cursor: `sync` leaves the run alone while that engine is
        alive.
        """
        self._delivery.mark(engine=engine)

    def release(self) -> None:
        """Release the run's lock."""
        self._stack.close()

    def advance(self, request: RunRequest) -> bool:
        """Send some entries, and return whether nothing is left to do for this run."""
        is_orphan = request.engine is None or not cursors.is_alive(request.engine)
        is_over = is_orphan or request.is_complete  # before reading, so that its last events count
        self.has_more = self._delivery.read()
        if self._delivery.is_ended and self._deadline_s is None:
            self._deadline_s = time.monotonic() + self._pace.files_s
        is_late = self._deadline_s is not None and time.monotonic() > self._deadline_s
        if (is_over or is_late) and (self._is_waiting or not self.has_more):
            self.has_more = False
            return self._end()
        if not self._is_waiting:
            self._try(self._delivery.send)
        self.has_more = self.has_more and not self._is_waiting
        return False

    @property
    def _is_waiting(self) -> bool:
        return self._circuit.is_open or time.monotonic() < self._next_try_s

    def _end(self) -> bool:
        """Close the record, and return whether that is done. If MLflow stays unavailable, `sync`
        sends it later.
        """
        if not self._delivery.has_started:
            return True
        if self._circuit.is_open:
            return self._has_waited()
        for left in reversed(range(self._pace.last_tries)):
            if self._try(self._delivery.close):
                break
            time.sleep(1 if left else 0)
        return True

    def _has_waited(self) -> bool:
        """Return whether an ended run has waited for an unavailable MLflow, which is then tried
        once more.
        """
        self._delivery.mark(problem=self._circuit.why)
        self._patience_s = self._patience_s or self._circuit.next_try_s
        return time.monotonic() >= self._patience_s

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except NotSent as error:
            _log(f"{self._name}: not sent: {error}")
            self._next_try_s = time.monotonic() + self._pace.retry_s
            if error.is_away:
                self._circuit.broken(str(error), self._pace.retry_s)
            return False
        self._next_try_s = 0.0
        return True


def _log(text: str) -> None:
    print(text, flush=True)  # noqa: T201  the process's own log


if __name__ == "__main__":
    sys.exit(main())
