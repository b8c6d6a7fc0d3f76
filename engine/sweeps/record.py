"""The record of a sweep: a folder below outputs/sweeps/, which any process can read at any time.

    sweep.json       what was asked for; written before the first job
    jobs/<n>.jsonl   the facts about job n (from 1); the process that runs it appends them
    jobs/<n>.lock    held by that process
    end.json         how the sweep ended; missing while it runs, and after it was interrupted
    lock             held by the process that runs the sweep

Each job has its own file, because appending to a shared file is not safe on a network file system.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine import handles, layout, locks
from engine.durable import fsync_folder, write_whole
from engine.vocabulary import Direction, RunStatus

FAILED, REFUSED, INTERRUPTED = 1, 2, 130  # exit statuses of a job
SWEEP_FILE, END_FILE, LOCK_FILE, JOBS = "sweep.json", "end.json", "lock", "jobs"
_MOST_BYTES = 16_000_000

JobState = Literal[
    "finished", "rejected", "pruned", "failed", "refused", "interrupted", "running", "waiting"
]
ModelT = TypeVar("ModelT", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=True)


class Asked(_Model):
    """What a sweep was asked for: the content of sweep.json."""

    v: int = 1
    command: tuple[str, ...]  # as typed
    folder: str  # in which it was typed
    started: float  # seconds since 1970
    keys: tuple[str, ...] = ()  # that the jobs vary
    count: int | None = None  # of jobs; None if the sweeper decides it on the way
    launcher: str = "basic"
    sweeper: str = "basic"


class End(_Model):
    """How a sweep ended: the content of end.json."""

    ended: float
    status: int  # the highest exit status of its jobs
    best: int | None = None  # the number of its best job


class Facts(_Model):
    """What is known about a job: the sum of the lines of its file, after its last start."""

    changes: tuple[str, ...] = ()  # the overrides that distinguish it, such as params.epochs=20
    began: float | None = None
    ended: float | None = None
    exit: int | None = None
    host: str = ""
    is_locked: bool = False  # its process holds the job's lock until it ends
    is_elsewhere: bool = False  # its artifacts are only on that host
    message: str = ""  # why there is no run, or why it failed
    # of its run
    run: str | None = None  # its folder, relative to outputs
    command: tuple[str, ...] = ()  # that repeats the job alone
    status: RunStatus | None = None
    seconds: float | None = None
    directions: Mapping[str, Direction] = {}  # of each objective, the first one first
    prefer: str = ""  # the rule for several objectives: the one that decides, within the limits
    limits: Mapping[str, str] = {}  # objective -> rule, such as "<= 20"
    values: Mapping[str, float] = {}  # of each objective that was measured
    intervals: Mapping[str, tuple[float, float]] = {}
    measured_on: Mapping[str, str] = {}  # only of objectives that were not measured on the device
    gates_passed: int = 0
    gates: int = 0  # that were evaluated


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a sweep, with its state."""

    number: int  # from 1
    facts: Facts
    state: JobState

    @property
    def is_done(self) -> bool:
        """Return whether it has a result, which need not be computed again."""
        return self.state in ("finished", "rejected", "pruned")


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep as its record describes it."""

    path: Path
    asked: Asked
    jobs: Sequence[Job] = field(default_factory=list)
    end: End | None = None
    is_running: bool = False

    @property
    def id(self) -> str:
        """Return the id: the name of its folder."""
        return self.path.name

    @property
    def outputs(self) -> Path:
        """Return the outputs folder that holds its record and its runs."""
        return self.path.parents[1]

    def run_dir(self, job: Job) -> Path | None:
        """Return the folder of the job's run; None if it has none, or that was removed."""
        path = self.outputs / job.facts.run if job.facts.run else None
        return path if path and path.is_dir() else None

    @property
    def status(self) -> int:
        """Return the highest exit status of its jobs; a job that did not end has failed."""
        known = [job.facts.exit for job in self.jobs if job.state != "waiting"]
        missing = not known or len(known) < (self.asked.count or 0)
        return max([FAILED if one is None else one for one in known] + [FAILED] * missing)


def create(parent: Path, asked: Asked) -> Path:
    """Create the record of a new sweep below the folder, and return its own folder."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(asked.started))
    folder = parent / f"{stamp}-{secrets.token_hex(2)}"
    (folder / JOBS).mkdir(parents=True)
    (folder / LOCK_FILE).touch()
    _write(folder / SWEEP_FILE, asked)
    return folder


def append(folder: Path, number: int, **facts: object) -> None:
    """Make facts about a job durable."""
    path = folder / JOBS / f"{number}.jsonl"
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)  # on a node that does not share the folder
    line = json.dumps({"time": time.time(), **facts}, ensure_ascii=False) + "\n"
    with open(handles.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as file:
        file.write(line.encode("utf-8", "backslashreplace"))
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        fsync_folder(path.parent)


@contextmanager
def hold(folder: Path, number: int) -> Iterator[bool]:
    """Hold the lock of a job; first wait for a process that still runs it, such as that of a sweep
    whose launcher was killed. Yield False if the file system has no locks.
    """
    path = _lock(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)  # on a node that does not share the folder
    with locks.waited_for(path) as is_locked:
        yield is_locked


def has_died(folder: Path, number: int) -> bool:
    """Return whether the process that ran the job is gone although the job has not ended."""
    is_free = locks.is_unlocked(_lock(folder, number))
    facts = job(folder, number).facts  # after the lock, which it releases when it has ended
    return is_free and facts.is_locked and facts.exit is None


def finish(folder: Path, end: End) -> None:
    """Record the end of a sweep, after which the same command starts another one."""
    _write(folder / END_FILE, end)


def read(folder: Path, now: Literal["ended", "interrupted"] | None = None) -> Sweep | None:
    """Return the sweep in this folder, or None if it has no readable record.

    now: what the process that runs the sweep knows before it is recorded.
    """
    asked = _read(folder / SWEEP_FILE, Asked)
    if asked is None:
        return None
    end = _read(folder / END_FILE, End)
    is_running = not now and end is None and not locks.is_unlocked(folder / LOCK_FILE)
    numbers = {
        int(path.stem) for path in (folder / JOBS).glob("[0-9]*.jsonl") if path.stem.isdigit()
    }
    every = sorted(numbers | set(range(1, (asked.count or 0) + 1)))
    jobs = [
        job(folder, number, is_over=not is_running, is_ended=now == "ended" or end is not None)
        for number in every
    ]
    return Sweep(folder, asked, jobs, end, is_running)


def job(folder: Path, number: int, *, is_over: bool = False, is_ended: bool = False) -> Job:
    """Return a job of the sweep in this folder.

    is_over: no process runs the sweep. is_ended: it ended by itself, not by an interrupt.
    """
    facts = _facts(folder / JOBS / f"{number}.jsonl")
    return Job(number, facts, _state(facts, is_over, is_ended))


def sweeps(outputs: Path) -> list[Sweep]:
    """Return the sweeps of the outputs folder, oldest first."""
    folders = (path.parent for path in layout.sweeps_dir(outputs).glob(f"*/{SWEEP_FILE}"))
    found = [one for one in map(read, folders) if one]
    return sorted(found, key=lambda one: (one.asked.started, one.id))


def damaged(outputs: Path) -> list[Path]:
    """Return the folders of sweeps whose sweep.json cannot be read, so that `sweeps` lacks them."""
    folders = (path.parent for path in layout.sweeps_dir(outputs).glob(f"*/{JOBS}"))
    return [one for one in sorted(folders) if _read(one / SWEEP_FILE, Asked) is None]


def _lock(folder: Path, number: int) -> Path:
    return folder / JOBS / f"{number}.lock"


def _state(facts: Facts, is_over: bool, is_ended: bool) -> JobState:
    if facts.began is None:
        return "waiting"
    if facts.exit is None:
        ended: JobState = "failed" if is_ended else "interrupted"
        return ended if is_over else "running"
    if facts.exit == INTERRUPTED:
        return "interrupted"
    if facts.status in ("finished", "rejected", "pruned"):
        return facts.status
    return "refused" if facts.exit == REFUSED else "failed"


def _facts(path: Path) -> Facts:
    """Return the facts since the job's last start; lines that a crash cut off are left out."""
    known: dict[str, object] = {}
    try:
        lines = handles.read(path, _MOST_BYTES).splitlines()
    except OSError:
        return Facts()
    for line in lines:
        try:
            said = json.loads(line)
            Facts.model_validate(said)
        except (ValueError, ValidationError, RecursionError):
            continue
        known = said if "began" in said else {**known, **said}
    return Facts.model_validate(known)


def _write(path: Path, content: _Model) -> None:
    write_whole(path, content.model_dump_json(indent=2).encode())


def _read(path: Path, model: type[ModelT]) -> ModelT | None:
    try:
        return model.model_validate_json(handles.read(path, _MOST_BYTES))
    except (OSError, ValueError):
        return None
