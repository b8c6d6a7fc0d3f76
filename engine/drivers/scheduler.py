"""Runs the jobs of a plan on an executor: the only place for time limits, retries and parallelism.

It reports everything as events to `emit`, which first makes them durable; it shows nothing itself.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine import gpus
from engine import graph as graphs
from engine.attempts import Attempts, LiveAttempt
from engine.context import DriverContext
from engine.events import JobFailed, JobSkipped, Note
from engine.interfaces import Emit
from engine.jobfolder import Ended
from engine.outcome import NOT_ITS_FAULT, TIMEOUT, Failure, timeout_s
from engine.plan import Job, Plan, Planned
from engine.publisher import cached, is_rejected
from engine.store import Record
from engine.vocabulary import Event, FailureKind, RunStatus

POLL_S = 0.1  # how often a running stage's progress is read
BUSY_S = 0.2  # how often to check a job that another engine runs
GRACE_S = 10.0  # from the request to end until the kill
# The next attempt would fail in the same way.
_BEYOND_RETRY: frozenset[FailureKind] = frozenset(
    {"disk_full", "disk_error", "image_missing", "wrong_platform", "no_device", "no_command"}
)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What all running jobs may use together, and whether a failure ends the run."""

    cpus: float
    memory_bytes: int
    fail_fast: bool = False
    gpus: int = 0


def driver(context: DriverContext) -> "Scheduler":
    """Return the driver that runs the plan's jobs on an executor, as many at once as this machine allows."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpus = context.cpus or os.cpu_count() or 1
    capacity = Capacity(cpus, memory_bytes, context.fail_fast, len(gpus.here()))
    return Scheduler(Attempts.of(context), capacity, context.emit)


@dataclass(slots=True)
class _Timed:
    """A running attempt, and its deadline."""

    attempt: LiveAttempt
    deadline: float
    ending: str | None = None  # why it was asked to end: timeout, interrupted, pruned
    kill_at: float = float("inf")


@dataclass(slots=True)
class Scheduler:
    """One run of a plan."""

    attempts: Attempts
    capacity: Capacity
    emit: Emit
    interrupts: int = 0  # how often `interrupt` was called
    pruned: str = ""  # why the run is pruned
    _waiting: dict[str, Job] = field(default_factory=dict)
    _running: dict[str, _Timed] = field(default_factory=dict)
    _over: dict[str, str] = field(
        default_factory=dict
    )  # stage -> finished, failed, skipped, rejected
    _failed: dict[str, JobFailed] = field(
        default_factory=dict
    )  # stages that wait for their next attempt
    _not_before: dict[str, float] = field(default_factory=dict)
    _priority: Mapping[str, float] = field(default_factory=dict)
    _order: Mapping[str, int] = field(default_factory=dict)  # position in the plan
    _ready: set[str] = field(default_factory=set)
    _pending: list[Event] = field(
        default_factory=list
    )  # events of this iteration of the loop: one fsync for all

    @property
    def plan(self) -> Plan:
        """Return the plan of this run."""
        return self.attempts.plan

    def interrupt(self) -> None:
        """End the run: cleanly at the first call, at once at the second."""
        self.interrupts += 1

    def prune(self, why: str) -> None:
        """End the run cleanly, as pruned."""
        self.pruned = why

    def run(self) -> RunStatus:
        """Run to the end, and return the status of the run."""
        self._waiting = {name: planned.job for name, planned in self.plan.jobs.items()}
        known = {
            name: planned.record.seconds
            for name, planned in self.plan.jobs.items()
            if planned.record
        }
        self._priority = graphs.priorities(self.plan.graph, known)
        self._order = {name: at for at, name in enumerate(self.plan.jobs)}
        self._take_cached()
        self._refresh_ready(self._waiting)
        is_cut = False
        while self._waiting or self._running:
            if self.interrupts or self.pruned:
                is_cut = True
                self._end_all()
            else:
                self._start_ready()
            self._flush()
            for ended in self.attempts.executor.wait(self._pause_s()):
                self._finish(ended)
            self._stream()
            self._watch_time()
        self._flush()
        self.attempts.close()
        if self.interrupts:
            return "interrupted"
        if is_cut:
            return "pruned"
        if "failed" in self._over.values():
            return "failed"
        return "rejected" if "rejected" in self._over.values() else "finished"

    def _queue(self, *events: Event) -> None:
        self._pending += events

    def _flush(self) -> None:
        reported, self._pending = self._pending, []
        if reported:
            self.emit(*reported)

    def _take_cached(self) -> None:
        """Process all cached jobs, with one append to the journal."""
        events: list[Event] = []
        for name, planned in self.plan.jobs.items():
            if (
                planned.record
                and not (set(planned.job.needs) - self.attempts.digests.keys())
                and name in self._waiting
            ):
                events += self._cached(planned, planned.record)
        self._queue(*events)

    def _cached(self, planned: Planned, record: Record) -> list[Event]:
        self._failed.pop(planned.job.stage, None)
        self._leave(planned.job.stage)
        return [cached(planned.job.stage, record), *self._publish(planned.job, record)]

    def _publish(self, job: Job, record: Record) -> list[Event]:
        """Publish a finished job, and skip its dependents if a gate rejects it."""
        gates = self.attempts.publish(job, record)
        self._refresh_ready(self.plan.graph.successors[job.stage])
        if not is_rejected(gates):
            self._over[job.stage] = "finished"
            return [*gates]
        self._over[job.stage] = "rejected"
        return [*gates, *self._skip_after(job.stage, f"{job.stage} was rejected by its gate")]

    def _leave(self, name: str) -> None:
        del self._waiting[name]
        self._ready.discard(name)

    def _start_ready(self) -> None:
        now = time.monotonic()
        ready = [name for name in self._ready if now >= self._not_before.get(name, 0)]
        for name in sorted(ready, key=lambda n: (-self._priority[n], self._order[n])):
            if sum(job.spec.resources.cpus for job in self._jobs_at_work()) >= self.capacity.cpus:
                return  # cheap check first: of a thousand ready stages, two may run
            if name in self._ready and self._has_room(
                self._waiting[name]
            ):  # a start may find a damaged input, for which others wait too
                self._start(name)

    def _refresh_ready(self, names: Iterable[str]) -> None:
        """Update which of these stages wait only for free resources."""
        for name in names:
            if name in self._waiting and all(
                need in self.attempts.digests for need in self._waiting[name].needs
            ):
                self._ready.add(name)
            else:
                self._ready.discard(name)

    def _has_room(self, job: Job) -> bool:
        """Return whether the job's resources are free; a job always fits if no other is running."""
        if not self._running:
            return True
        in_use = [other.spec.resources for other in self._jobs_at_work()]
        wants = job.spec.resources
        if wants.exclusive or any(one.exclusive for one in in_use):
            return False
        if wants.accelerator and any(one.accelerator for one in in_use):
            return False
        return (
            wants.cpus + sum(one.cpus for one in in_use) <= self.capacity.cpus
            and (not wants.gpu or wants.gpu + sum(one.gpu for one in in_use) <= self.capacity.gpus)
            and wants.memory + sum(one.memory for one in in_use) <= self.capacity.memory_bytes
        )

    def _jobs_at_work(self) -> list[Job]:
        return [timed.attempt.job for timed in self._running.values()]

    def _start(self, name: str) -> None:
        job = self._waiting[name]
        if self._send_back_damaged(job):
            return
        found = self.attempts.start(job)
        if found is None:
            self._not_before[name] = time.monotonic() + BUSY_S
        elif isinstance(found, Planned):
            assert found.record is not None
            self._queue(*self._cached(found, found.record))
        else:
            self._queue(found.started)
            self._failed.pop(name, None)
            self._leave(name)
            deadline = time.monotonic() + (timeout_s(job) or float("inf"))
            self._running[name] = _Timed(found, deadline)

    def _send_back_damaged(self, job: Job) -> bool:
        """Verify the job's inputs in the store.

        Set a damaged one aside, and run its stage again.
        """
        refs = [ref for ref in job.inputs.values() if ref]
        damaged = False
        for stage, output in [(stage, ref.name) for ref in refs for stage in ref.stages]:
            if not self._is_whole(stage, output):
                self._send_back(stage, output)
                damaged = True
        return damaged

    def _is_whole(self, stage: str, output: str) -> bool:
        made = self.attempts.digests.get(stage)  # None: it is already being rebuilt
        if made is None or stage not in self.plan.jobs:  # a stage of a cluster: the judge checks it
            return True
        return self.attempts.store.is_whole(made[output])

    def _send_back(self, stage: str, output: str) -> None:
        self.attempts.store.quarantine(self.attempts.digests[stage][output])
        text = f"{stage}.{output} was damaged in the store and is set aside; {stage} runs again"
        self._queue(Note(event="note", stage=None, text=text))
        self._waiting[stage] = self.plan.jobs[stage].job
        del self.attempts.digests[stage], self._over[stage]
        self._refresh_ready([stage, *self.plan.graph.successors[stage]])

    def _finish(self, ended: Ended) -> None:
        timed = self._running.pop(ended.stage)
        reported, found = self.attempts.end(timed.attempt, ended, timed.ending)
        if isinstance(found, Failure):
            is_pruned = self.pruned and timed.ending == self.pruned
            end = [self._cut(ended.stage)] if is_pruned else self._fail(timed.attempt, ended, found)
            self._queue(*reported, *end)
            return
        finished = self.attempts.finished(timed.attempt, ended, found)
        self._queue(*reported, finished, *self._publish(timed.attempt.job, found))

    def _cut(self, stage: str) -> Event:
        """Return the end of a stage that ran when the run was pruned: it has not failed."""
        self._over[stage] = "skipped"
        return JobSkipped(event="job_skipped", stage=stage, because=self.pruned)

    def _fail(self, attempt: LiveAttempt, ended: Ended, failure: Failure) -> list[Event]:
        job = attempt.job
        delay_s = self._retry_delay_s(job, failure.kind)
        failed = self.attempts.failed(attempt, ended, failure, delay_s)
        if delay_s is not None:
            self._failed[job.stage] = failed
            self._waiting[job.stage] = job
            self._refresh_ready([job.stage])
            self._not_before[job.stage] = time.monotonic() + delay_s
            return [failed]
        self._over[job.stage] = "failed"
        skipped = self._skip_after(job.stage, f"{job.stage} failed")
        return [failed, *skipped, *(self._fail_fast(job.stage) if self.capacity.fail_fast else [])]

    def _retry_delay_s(self, job: Job, kind: FailureKind) -> float | None:
        """Return the seconds until the next attempt, or None if there is none."""
        if self.interrupts or kind in _BEYOND_RETRY:
            return None
        if self.capacity.fail_fast and "failed" in self._over.values():
            return None
        attempt, tries = self.attempts.counts[job.stage], job.spec.retries + (kind in NOT_ITS_FAULT)
        return job.spec.retry_delay * 2 ** (attempt - 1) if attempt <= tries else None

    def _fail_fast(self, stage: str) -> list[Event]:
        because = f"{stage} failed, and fail_fast is set"
        skipped = self._skip(list(self._waiting), because)
        for other in list(self._running):
            self._end(other, because)
        return skipped

    def _skip_after(self, stage: str, because: str) -> list[Event]:
        waiting = [
            name for name in graphs.descendants(self.plan.graph, stage) if name in self._waiting
        ]
        return self._skip(waiting, because)

    def _skip(self, stages: list[str], because: str) -> list[Event]:
        """Skip these stages; a stage that waited for its next attempt has failed."""
        events: list[Event] = []
        for name in stages:
            self._leave(name)
            if last := self._failed.get(name):
                self._over[name] = "failed"
                events.append({**last, "retry_in_s": None})
            else:
                self._over[name] = "skipped"
                events.append(JobSkipped(event="job_skipped", stage=name, because=because))
        return events

    def _stream(self) -> None:
        for timed in self._running.values():
            self._queue(*timed.attempt.poll())

    def _watch_time(self) -> None:
        now = time.monotonic()
        for stage, timed in self._running.items():
            if timed.ending is None and now >= timed.deadline:
                self._end(stage, TIMEOUT)
            elif now >= timed.kill_at:
                self.attempts.executor.terminate(stage, force=True)

    def _end(self, stage: str, why: str) -> None:
        timed = self._running[stage]
        if timed.ending is None:
            timed.ending, timed.kill_at = why, time.monotonic() + GRACE_S
            self.attempts.executor.terminate(stage, force=False)

    def _end_all(self) -> None:
        """End the run early: start nothing more, ask the jobs to end, and kill them at the second
        interrupt.
        """
        why = "the run was interrupted" if self.interrupts else self.pruned
        if self._waiting:
            self._queue(*self._skip(list(self._waiting), why))
        for stage in self._running:
            self._end(stage, why)
            if self.interrupts > 1:
                self.attempts.executor.terminate(stage, force=True)

    def _pause_s(self) -> float:
        if self._running:
            return POLL_S
        upcoming = [self._not_before.get(name, 0) - time.monotonic() for name in self._ready]
        return min(max(min(upcoming, default=0.0), 0.0), POLL_S)
