"""Runs one stage on a folder in parts: each part is a job whose outputs the store keeps.

Repeating the command therefore resumes after a kill or a lost device: finished parts come from the store,
and a container that is still processing a part on the device is adopted.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import digest, layout, single_job
from engine.attempts import Attempts
from engine.contract import Contract
from engine.dispatch import Dispatcher
from engine.errors import UserError
from engine.graph import EMPTY, Reference
from engine.jobfolder import PARTS, log_tail
from engine.outcome import Failure
from engine.placement import DEVICE
from engine.plan import Job, Plan, Planned, ResolvedAsset, settle
from engine.request import Request
from engine.single_job import WAIT_S, Provide
from engine.spec import StageSpec
from engine.stage.names import is_hidden, natural_order
from engine.store import Record, Store
from engine.vocabulary import Event

OWNER = "predict-"  # the prefix of the work folders' names
PART = 100  # files; starting a container for each part takes a Pi a few seconds
MOST_BAD = 10  # if more files end the stage's process, the files are not the cause
AGAIN_S = 0.2  # between checks whether another engine has finished the same part
_ITS_PROCESS = ("killed", "out_of_memory", "bus_error")  # failures that a file can cause
Names = tuple[str, ...]  # paths below the user's folder
Hear = Callable[[int, int, str], None]  # files done, all files, and the current file


@dataclass(frozen=True, slots=True)
class Answered:
    """A finished part: its files, its record, and the paths of its outputs by name."""

    names: Names
    record: Record
    outputs: Mapping[str, Path]
    was_kept: bool  # an earlier command processed it


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that ended the stage's process, and why."""

    name: str
    why: str


class Stopped(Exception):
    """A part failed for a reason that affects all parts; `log` is the end of its log."""

    def __init__(self, failure: Failure, log: str) -> None:
        super().__init__(failure.message)
        self.failure, self.log = failure, log


def names(folder: Path) -> list[str]:
    """Return all files below a folder, in natural order, without hidden ones."""
    found = [name for name, _ in digest.files(folder)]
    seen = [name for name in found if not any(map(is_hidden, name.split("/")))]
    return sorted(seen, key=lambda name: [natural_order(part) for part in name.split("/")])


@contextmanager
def opened(
    request: Request,
    contract: Contract,
    inputs: Mapping[str, Path],
    over: str,
    params: Mapping[str, object],
    spec: StageSpec,
    provide: Provide,
    hear: Hear,
) -> Iterator["Batch"]:
    """Yield the batch of a stage whose input `over` is the user's folder.

    Raise UserError if the stage cannot run anywhere, or its machine is unreachable.
    """
    store = Store(layout.store_dir(request.outputs))
    with (
        store.locks.in_use(),
        store.locks.work(f"{OWNER}{time.time_ns()}") as work,
        closing(single_job.dispatcher(request)) as executors,
    ):
        place = single_job.placed(executors, spec, contract)
        refs = {name: Reference(None, name) if name in inputs else None for name in contract.inputs}
        name = contract.invoke["function"]
        job = Job(name, spec, contract, refs, contract.outputs, params, place)
        assets = {name: _asset(name, path, store) for name, path in inputs.items() if name != over}
        batch = Batch(request, executors, store, work, job, assets, inputs[over], over, hear)
        batch.prepare(provide)
        store.locks.sweep(OWNER)  # after `reclaim`, which reads the folders of killed commands
        yield batch


@dataclass(slots=True)
class Batch:
    """The parts of a folder."""

    request: Request
    executors: Dispatcher
    store: Store
    work: Path
    job: Job
    assets: dict[str, ResolvedAsset]
    source: Path
    over: str
    hear: Hear
    done: int = 0  # files, including skipped ones
    total: int = 0
    _parts: list[tuple[Names, Planned]] = field(default_factory=list)
    _bad: int = 0
    _count: int = 0

    def prepare(self, provide: Provide) -> None:
        """Lay out the parts, look each up in the store, and prepare to run the missing ones."""
        every = names(self.source)
        if not every:
            what, fix = "it contains no files", "give a folder with files, or a file"
            raise UserError(str(self.source), what, fix)
        self.total = len(every)
        cuts = range(0, len(every), PART)
        self._parts = [self._planned(tuple(every[at : at + PART])) for at in cuts]
        to_run = [planned for _, planned in self._parts if planned.record is None]
        if to_run:
            provide(self.executors, to_run[:1])
            self.executors.prepare(to_run)
            self.executors.reclaim(to_run, self.work)

    def results(self) -> Iterator[Answered | Skipped]:
        """Yield the finished parts, in order, and the skipped files.

        Raise Stopped if a part fails for a reason that affects all parts.
        """
        for part, planned in self._parts:
            yield from self._results(part, planned)

    @property
    def kept(self) -> int:
        """Return how many files earlier commands have processed."""
        return sum(len(part) for part, planned in self._parts if planned.record)

    def _results(self, part: Names, planned: Planned) -> Iterator[Answered | Skipped]:
        outcome, log = (planned.record, "") if planned.record else self._outcome(planned.job)
        if isinstance(outcome, Record):
            self.done += len(part)
            paths = {name: self.store.path(one) for name, one in outcome.outputs.items()}
            yield Answered(part, outcome, paths, planned.record is not None)
        elif outcome.kind not in _ITS_PROCESS or self._bad >= MOST_BAD:
            raise Stopped(outcome, log)
        elif len(part) > 1:  # one of its files is the cause: find it
            middle = len(part) // 2
            for half in (part[:middle], part[middle:]):
                yield from self._results(*self._planned(half))
        else:
            self._bad += 1
            self.done += 1
            yield Skipped(part[0], outcome.message)

    def _outcome(self, job: Job) -> tuple[Record | Failure, str]:
        """Run the job, unless the store has it by now; return its record or failure, and its log's end."""
        self._make_readable(job)
        attempts = self._attempts(job)
        try:
            while (started := attempts.start(job)) is None:
                time.sleep(AGAIN_S)
            if isinstance(started, Planned):
                assert started.record is not None
                return started.record, ""
            while not (ended := self.executors.wait(WAIT_S)):
                self._tell(started.poll())
            _, outcome = attempts.end(started, ended[0])
            return outcome, log_tail(started.log)
        finally:
            attempts.close()

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if event["event"] == "progress":
                self.hear(self.done + int(event["done"]), self.total, event["message"])

    def _attempts(self, job: Job) -> Attempts:
        planned = {job.stage: Planned(job, None, None, None, "")}
        plan = _plan(self.request, planned, self.assets)
        return Attempts(plan, self.store, self.executors, self.work, self.work)

    def _planned(self, part: Names) -> tuple[Names, Planned]:
        """Lay the part out as a folder of links, and fingerprint its job."""
        self._count += 1
        key = f"{self.over}-{self._count}"
        folder = self.work / PARTS / key / (self.source.name or "folder")
        for name in part:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to((self.source / name).resolve())
        self.assets[key] = _asset(key, folder, self.store)
        refs = {**self.job.inputs, self.over: Reference(None, key)}
        job = replace(self.job, stage=f"{self.job.stage}-{self._count}", inputs=refs)
        return part, settle(job, {}, self.assets, self.store)

    def _make_readable(self, job: Job) -> None:
        """Replace the links of a part by copies for a container on this machine, which sees only
        mounted files.
        """
        if job.placement.image is None or job.placement.measured_on == DEVICE:
            return
        key = str(job.inputs[self.over]).removeprefix("asset:")
        for link in self.assets[key].path.rglob("*"):
            if link.is_symlink():
                target = link.resolve()
                link.unlink()
                shutil.copyfile(target, link)
                link.chmod(0o755 if target.stat().st_mode & 0o100 else 0o644)


def _asset(key: str, path: Path, store: Store) -> ResolvedAsset:
    return ResolvedAsset(key, key, path, store.assets.of(path), None, "", False)


def _plan(
    request: Request[Any], jobs: Mapping[str, Planned], assets: Mapping[str, ResolvedAsset]
) -> Plan:
    return Plan(request.usecase.name, request.target, {}, None, assets, jobs, EMPTY, ())
