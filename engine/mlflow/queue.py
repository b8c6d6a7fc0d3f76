"""Requests of runs to the sender of their outputs folder, and the sender's lock.

`outputs/.engine/mlflow/<key>/` holds a request for each run that is not recorded yet, the sender's
lock, and its log. A run writes its request before it checks the lock; a sender looks for requests
once more after it has released the lock. So no request is missed. The kernel releases the lock when
its holder dies.
"""

import fcntl
import glob
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import handles, layout
from engine.durable import write_whole
from engine.mlflow.locks import open_lock

FOLDER = "mlflow"  # in outputs/.engine
_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to be recorded."""

    run_dir: Path
    engine: str | None  # the engine that runs it
    is_complete: bool = False  # the run is over, and its files are complete


class Queue:
    """The requests for one backend, with the same credentials, of one user."""

    def __init__(self, outputs: Path, sender_key: str) -> None:
        self._outputs = outputs
        self.folder = layout.store_dir(outputs) / FOLDER / sender_key
        self.log = self.folder / "log"
        self._lock: os.stat_result | None = None

    def put(self, request: RunRequest) -> None:
        """Write the request, or replace the one for the same run."""
        data = {
            "run": str(request.run_dir.relative_to(self._outputs)),
            "engine": request.engine,
            "is_complete": request.is_complete,
        }
        write_whole(self._path(request.run_dir), json.dumps(data).encode(), durable=False)

    def requests(self) -> list[RunRequest]:
        """Return the requests, oldest run first."""
        read = [self._read(path) for path in sorted(self.folder.glob("[!.]*.json"))]
        return [request for request in read if request is not None]

    def has(self, run_dir: Path) -> bool:
        """Return whether the run is waiting to be recorded, or is being recorded."""
        return self._path(run_dir).exists()

    def remove(self, request: RunRequest) -> None:
        """Remove the request: the run is recorded, or is left to `sync`."""
        self._path(request.run_dir).unlink(missing_ok=True)

    def has_sender(self) -> bool:
        """Return whether a sender is running."""
        try:
            with open_lock(self.folder / "lock") as file:  # two checks do not disturb each other
                return not _locked(file.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def is_still_there(self) -> bool:
        """Return whether the held lock is still the one at its path: the outputs folder may have
        been removed or moved.
        """
        try:
            return self._lock is not None and os.path.samestat(
                self._lock, (self.folder / "lock").stat()
            )
        except OSError:
            return False

    @contextmanager
    def sender_lock(self, wait_s: float = 1.0) -> Iterator[bool]:
        """Hold the sender's lock, and yield whether this process has it. A check alone holds it for
        a moment.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        with open_lock(self.folder / "lock") as file:
            while (
                not (is_ours := _locked(file.fileno(), fcntl.LOCK_EX))
                and time.monotonic() < deadline
            ):
                time.sleep(0.05)
            self._lock = os.fstat(file.fileno())
            yield is_ours

    def _path(self, run_dir: Path) -> Path:
        return self.folder / f"{run_dir.name}.json"

    def _read(self, path: Path) -> RunRequest | None:
        try:
            return self._request(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            handles.remove(path)  # no request; `sync` finds the run anyway
            return None

    def _request(self, path: Path) -> RunRequest:
        data = json.loads(handles.read(path, _MOST_BYTES))
        run_dir = self._outputs / data["run"]
        if run_dir.name != path.stem or self._outputs.resolve() not in run_dir.resolve().parents:
            raise ValueError("this is not a run of these outputs")
        return RunRequest(run_dir, data["engine"], bool(data["is_complete"]))


def is_being_sent(outputs: Path, run_dir: Path) -> bool:
    """Return whether any sender, whatever its settings, has a request for the run."""
    requests = layout.store_dir(outputs).glob(f"{FOLDER}/*/{glob.escape(run_dir.name)}.json")
    return any(Queue(outputs, path.parent.name).has_sender() for path in requests)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
