"""How much of a run is in MLflow, which process may send the rest, and whether the run's engine is
alive.

The cursor is `mlflow.json` in the run's folder; without one, nothing was sent. The kernel releases
the lock when its holder dies.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import handles
from engine.durable import write_whole
from engine.mlflow.locks import open_lock

FILE_NAME = "mlflow.json"
_MOST_BYTES = 100_000
LOCK_NAME = ".mlflow.lock"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a run's journal has been sent, and to which backend."""

    backend: str
    seq: int = -1
    is_closed: bool = False  # the MLflow run has its final status and all files
    engine: str | None = None  # the engine that runs it; None if no sender followed the run
    problem: str | None = None  # why the rest is not sent, in a sentence
    annotated_bytes: int = 0  # how much of annotations.jsonl is sent

    def is_complete(self, seq: int, annotated_bytes: int) -> bool:
        """Return whether MLflow has all of the run, up to this event and this size of its annotations."""
        return self.is_closed and (self.seq, self.annotated_bytes) == (seq, annotated_bytes)


def load(run_dir: Path, backend: str) -> Cursor:
    """Return how far the run has been sent to this backend; what others have does not count."""
    try:
        found = Cursor(**json.loads(handles.read(run_dir / FILE_NAME, _MOST_BYTES)))
    except (OSError, ValueError, TypeError, RecursionError):
        return Cursor(backend)
    if not isinstance(found.seq, int) or not isinstance(found.engine, str | None):
        return Cursor(backend)
    return found if found.backend == backend else Cursor(backend, engine=found.engine)


def save(run_dir: Path, cursor: Cursor) -> None:
    """Make the cursor durable: it never names an event that was not sent.

    A run's folder that was removed meanwhile is not created again.
    """
    if not run_dir.is_dir():
        return
    write_whole(run_dir / FILE_NAME, json.dumps(asdict(cursor)).encode(), durable=True)


@contextmanager
def held(run_dir: Path, wait_s: float) -> Iterator[bool]:
    """Hold the run's lock after waiting at most this long; yield False if another sender has it."""
    deadline = time.monotonic() + wait_s
    with open_lock(run_dir / LOCK_NAME) as file:
        while not (is_mine := _locked(file.fileno())) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield is_mine


def identity(pid: int) -> str | None:
    """Identify a running process, so that a later process with the same id is not mistaken for it.

    None for a dead one.
    """
    try:
        # the command ends at the last parenthesis; then field 3 is the state, 22 the start time
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{pid}:{fields[19]}:{boot}"


def is_alive(engine: str) -> bool:
    """Return whether the process of this identity is alive."""
    pid = engine.partition(":")[0]
    return pid.isdecimal() and identity(int(pid)) == engine


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
