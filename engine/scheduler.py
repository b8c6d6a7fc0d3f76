"""Drives the jobs of a plan on an executor, and alone knows time, retries and parallelism.

Everything it does it says as events to `emit`, which makes them durable first; it shows nothing itself.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine import graph as graphs
from engine import handles, jobfolder
from engine.errors import UserError
from engine.fields import holds
from engine.jobfolder import Ended, JobFolder, Launch
from engine.plan import Job, Plan, Planned, ResolvedAsset, settle
from engine.store import DISK_FAULTS, FOLDERS, BadOutput, Record, Store

POLL_S = 0.1  # how often a running stage's progress is read
BUSY_S = 0.2  # how often a job that another engine does is looked up
GRACE_S = 10.0  # between the request to end and the end
# as much time has a stage under QEMU: loops in Python take 3 (arm64) to 9 times (arm/v7) as long there, as
# measured
EMULATED_TIMES = 10

_NOT_ITS_FAULT = frozenset(
    {"daemon_lost", "device_lost"}
)  # the stage gets one attempt more than the YAML gives
_BEYOND_RETRY = frozenset(
    {"disk_full", "disk_error", "image_missing", "wrong_platform", "no_device", "no_command"}
)  # the next attempt would end so too

# What is true of a stage whatever it gave to sys.exit; other kinds an executor guesses from the exit status
# or from words in the log
_WHATEVER_IT_CHOSE = _NOT_ITS_FAULT | {"out_of_memory", "bad_output"}

Emit = Callable[..., None]


class Executor(Protocol):
    """What the scheduler asks of an executor."""

    def launch(self, launch: Launch) -> None:
        """Start the job."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended."""

    def terminate(self, stage: str, *, force: bool) -> None:
        """End the job's process tree."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the jobs may take together, and how the run takes a failure."""

    cpus: float
    memory_bytes: int
    fail_fast: bool = False


@dataclass(slots=True)
class _Running:
    folder: JobFolder
    log: Path
    deadline: float
    alone: ExitStack
    reads: Mapping[str, str] = field(
        default_factory=dict
    )  # its inputs from other stages, and their digests when it started
    ending: str | None = None  # why it was told to end: timeout, interrupted
    kill_at: float = float("inf")


@dataclass(slots=True)
class Scheduler:
    """One run of a plan."""

    plan: Plan
    store: Store
    executor: Executor
    work: Path
    run_dir: Path
    limits: Limits
    emit: Emit
    interrupts: int = 0  # raised by the signal handler
    digests: dict[str, Mapping[str, str]] = field(default_factory=dict)  # of the finished stages
    _waiting: dict[str, Job] = field(default_factory=dict)
    _running: dict[str, _Running] = field(default_factory=dict)
    _over: dict[str, str] = field(default_factory=dict)  # stage -> finished, failed, skipped, rejected
    _attempts: dict[str, int] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _priority: Mapping[str, float] = field(default_factory=dict)
    _order: Mapping[str, int] = field(default_factory=dict)  # of the plan
    _ready: set[str] = field(default_factory=set)
    _said: list[Mapping[str, Any]] = field(
        default_factory=list
    )  # events of this turn of the loop: one fsync for all
    _janitor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1)
    )  # removing a folder costs as much as a stage

    def run(self) -> str:
        """Run to the end and return the status: finished, failed, rejected or interrupted."""
        self._waiting = {name: planned.job for name, planned in self.plan.jobs.items()}
        known = {name: planned.record.seconds for name, planned in self.plan.jobs.items() if planned.record}
        self._priority = graphs.priorities(self.plan.graph, known)
        self._order = {name: at for at, name in enumerate(self.plan.jobs)}
        self._take_cached()
        self._refresh_ready(self._waiting)
        while self._waiting or self._running:
            if self.interrupts:
                self._end_all()
            else:
                self._start_ready()
            self._flush()
            for ended in self.executor.wait(self._pause_s()):
                self._finish(ended)
            self._stream()
            self._watch_time()
        self._flush()
        self._janitor.shutdown()
        if self.interrupts:
            return "interrupted"
        return next(
            (status for status in ("failed", "rejected") if status in self._over.values()), "finished"
        )

    def _say(self, *events: Mapping[str, Any]) -> None:
        self._said += events

    def _flush(self) -> None:
        said, self._said = self._said, []
        if said:
            self.emit(*said)

    def _take_cached(self) -> None:
        """Take all that the plan found in the store, with one append to the journal."""
        events: list[dict[str, Any]] = []
        for name, planned in self.plan.jobs.items():
            if (
                planned.record
                and not (set(planned.job.needs) - self.digests.keys())
                and name in self._waiting
            ):
                events += self._cached(planned, planned.record)
        self._say(*events)

    def _cached(self, planned: Planned, record: Record) -> list[dict[str, Any]]:
        name = planned.job.stage
        event = {
            "event": "job_cached",
            "stage": name,
            "fingerprint": record.fingerprint,
            "outputs": record.outputs,
            "metrics": record.metrics,
            "points": record.points,
            "figures": record.figures,
            "notes": record.notes,
            "seconds": record.seconds,
            "platform": record.platform,
            "emulated": record.emulated,
            "taken": record.taken,
        }
        self._leave(name)
        return [event, *self._publish(planned.job, record)]

    def _publish(self, job: Job, record: Record) -> list[dict[str, Any]]:
        """Lay the outputs out in the run's folder, and hold the metrics against the gates."""
        self.digests[job.stage] = record.outputs
        for output, digest in record.outputs.items():
            place = self.run_dir / "artifacts" / job.stage / output
            handles.remove(place)
            self.store.materialise(digest, place)
        self._refresh_ready(self.plan.graph.successors(job.stage))
        gates = [_gate(job, metric, rule, record.metrics) for metric, rule in job.spec.require.items()]
        broken = any(gate["passed"] is False for gate in gates)
        self._over[job.stage] = "rejected" if broken else "finished"
        if broken:
            gates += self._skip_after(job.stage, f"{job.stage} was rejected by its gate")
        return gates

    def _leave(self, name: str) -> None:
        del self._waiting[name]
        self._ready.discard(name)

    def _start_ready(self) -> None:
        now = time.monotonic()
        ready = [name for name in self._ready if now >= self._not_before.get(name, 0)]
        for name in sorted(ready, key=lambda n: (-self._priority[n], self._order[n])):
            if sum(job.spec.resources.cpus for job in self._jobs_at_work()) >= self.limits.cpus:
                return  # a glance for all of them: of a thousand ready stages two may run
            if name in self._ready and self._has_room(
                self._waiting[name]
            ):  # a start may find an input damaged, which others wait for too
                self._start(name)

    def _refresh_ready(self, names: Iterable[str]) -> None:
        """Look again which of these stages wait for nothing but room."""
        for name in names:
            if name in self._waiting and all(need in self.digests for need in self._waiting[name].needs):
                self._ready.add(name)
            else:
                self._ready.discard(name)

    def _has_room(self, job: Job) -> bool:
        """Say whether the job's share is free; a job alone always fits, however much it asks for."""
        if not self._running:
            return True
        taken = [other.spec.resources for other in self._jobs_at_work()]
        wants = job.spec.resources
        if wants.accelerator and any(one.accelerator for one in taken):
            return False
        return (
            wants.cpus + sum(one.cpus for one in taken) <= self.limits.cpus
            and wants.memory + sum(one.memory for one in taken) <= self.limits.memory_bytes
        )

    def _jobs_at_work(self) -> list[Job]:
        return [running.folder.job for running in self._running.values()]

    def _start(self, name: str) -> None:
        job = self._waiting[name]
        if self._send_back_damaged(job):
            return
        planned = settle(job, self.digests, self.plan.assets, self.store)
        alone = ExitStack()
        if planned.record is None:
            assert planned.fingerprint is not None
            if not alone.enter_context(self.store.alone(planned.fingerprint)):
                self._not_before[name] = time.monotonic() + BUSY_S  # another engine does this job just now
                alone.close()
                return
            planned = settle(job, self.digests, self.plan.assets, self.store)  # it may have ended meanwhile
        if planned.record is not None:
            alone.close()
            self._say(*self._cached(planned, planned.record))
            return
        self._launch(planned, alone)

    def _launch(self, planned: Planned, alone: ExitStack) -> None:
        job = planned.job
        attempt = self._attempts[job.stage] = self._attempts.get(job.stage, 0) + 1
        log = self.run_dir / "logs" / f"{job.stage}.log"
        log.parent.mkdir(exist_ok=True)
        jobfolder.open_log(log)
        if attempt > 1:
            handles.append(log, f"--- attempt {attempt}\n".encode())
        folder = jobfolder.lay_out(
            self.work / f"{job.stage}-{attempt}", planned, self.digests, self.plan.assets, self.store
        )
        self._say(
            {
                "event": "job_started",
                "stage": job.stage,
                "attempt": attempt,
                "fingerprint": planned.fingerprint,
                "log": str(log),
                "platform": job.place.platform,
                "emulated": job.place.emulated,
                "taken": job.place.taken,
            }
        )
        deadline = time.monotonic() + (_timeout_s(job) or float("inf"))
        self._running[job.stage] = _Running(folder, log, deadline, alone, self._reads(job))
        self._leave(job.stage)
        self.executor.launch(
            Launch(
                job,
                folder.path,
                log,
                planned.fingerprint or "",
                self.run_dir.name,
                attempt,
                folder.inputs,
                folder.notes,
                folder.adopt,
            )
        )

    def _reads(self, job: Job) -> dict[str, str]:
        """Return the artifacts that the job reads.

        Another stage may find one damaged and send it back meanwhile.
        """
        refs = {name: ref for name, ref in job.inputs.items() if ref and ref.stage}
        return {name: self.digests[str(ref.stage)][ref.name] for name, ref in refs.items()}

    def _send_back_damaged(self, job: Job) -> bool:
        """Look at the job's inputs where the store keeps them.

        A damaged one is set aside, and its stage runs again.
        """
        damaged = False
        for ref in job.inputs.values():
            if ref and ref.stage and ref.stage in self.digests:
                digest = self.digests[ref.stage][ref.name]
                if not self.store.is_whole(digest):
                    self.store.quarantine(digest)
                    self._say(
                        {
                            "event": "note",
                            "stage": None,
                            "text": f"{ref} was damaged in the store: set aside, {ref.stage} runs again",
                        }
                    )
                    self._waiting[ref.stage] = self.plan.jobs[ref.stage].job
                    del self.digests[ref.stage], self._over[ref.stage]
                    self._refresh_ready([ref.stage, *self.plan.graph.successors(ref.stage)])
                    damaged = True
        return damaged

    def _finish(self, ended: Ended) -> None:
        running = self._running.pop(ended.stage)
        jobfolder.cut(running.log)
        events = running.folder.poll(to_the_end=True)
        try:
            with running.alone:
                record, failure = self._outcome(running, ended)
        finally:
            self._janitor.submit(handles.remove, running.folder.path)
        if record is None:
            self._say(*events, *self._fail(running, ended, *failure))
            return
        job = running.folder.job
        published = self._publish(job, record)
        self._say(
            *events,
            {
                "event": "job_finished",
                "stage": job.stage,
                "attempt": self._attempts[job.stage],
                "seconds": ended.seconds,
                "outputs": record.outputs,
                "metrics": record.metrics,
            },
            *published,
        )

    def _outcome(self, running: _Running, ended: Ended) -> tuple[Record | None, tuple[str, str]]:
        """Return the committed record, or the kind of failure and its sentence."""
        folder, result = running.folder, running.folder.result()
        if running.ending or ended.status != 0:
            return None, self._cause(running, ended, result)
        changed = self._changed_inputs(running)
        if changed:
            return None, (
                "input_changed",
                f"its input '{changed[0]}' changed while it ran; nothing of it was kept",
            )
        try:
            return folder.commit(self.store, result.get("metrics", {}), ended.seconds), ("", "")
        except BadOutput as error:
            return None, ("bad_output", str(error))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return None, ("disk_full", self._disk_full())
            if error.errno in DISK_FAULTS:
                return None, (
                    "disk_error",
                    f"the disk of {self.store.root} reports an error ({error.strerror}); check it and "
                    "give the same command",
                )
            return None, ("bad_output", f"its outputs could not be stored: {error}")

    def _cause(self, running: _Running, ended: Ended, result: Mapping[str, Any]) -> tuple[str, str]:
        if running.ending == "timeout":
            return "timeout", _too_late(running.folder.job)
        if running.ending:
            return "killed", running.ending
        chosen = _chosen_status(result)
        is_full = "No space left on device" in jobfolder.log_tail(running.log)
        if ended.kind and (
            chosen is None or ended.kind in _WHATEVER_IT_CHOSE or (ended.kind == "disk_full" and is_full)
        ):
            return ended.kind, ended.why
        if not running.folder.path.exists():
            return "killed", "its work folder was removed while it ran"
        if is_full or shutil.disk_usage(self.work).free < 1 << 16:
            return "disk_full", self._disk_full()
        if chosen is not None:
            return "failed", f"it ended with exit status {chosen}"
        if ended.status is None:
            return "killed", "the executor lost its process"
        if ended.status < 0:
            return "killed", f"signal {-ended.status} ended it"
        return "failed", str(result.get("error") or f"it ended with exit status {ended.status}")

    def _disk_full(self) -> str:
        places = [
            place for place in (self.work, *(self.store.root / name for name in FOLDERS)) if place.is_dir()
        ]
        free = {place: shutil.disk_usage(place).free for place in places}  # each may be on another disk
        fullest = min(places, key=lambda place: free[place])
        return (
            f"the disk is full: {free[fullest]:,} bytes are free at {fullest}; make room and give "
            "the same command"
        )

    def _changed_inputs(self, running: _Running) -> list[str]:
        assets = [ref for ref in running.folder.job.inputs.values() if ref and ref.stage is None]
        changed = [str(ref) for ref in assets if not self._is_as_planned(self.plan.assets[ref.name])]
        return changed + [name for name, digest in running.reads.items() if not self.store.is_whole(digest)]

    def _is_as_planned(self, asset: ResolvedAsset) -> bool:
        try:
            return self.store.assets.of(asset.path) == asset.digest
        except UserError:  # it is gone, or can no longer be read
            return False

    def _fail(self, running: _Running, ended: Ended, kind: str, message: str) -> list[dict[str, Any]]:
        job = running.folder.job
        attempt = self._attempts[job.stage]
        is_over = self.interrupts or (self.limits.fail_fast and "failed" in self._over.values())
        tries = job.spec.retries + (kind in _NOT_ITS_FAULT)
        again = attempt <= tries and kind not in _BEYOND_RETRY and not is_over
        delay = job.spec.retry_delay * 2 ** (attempt - 1) if again else None
        event = {
            "event": "job_failed",
            "stage": job.stage,
            "attempt": attempt,
            "seconds": ended.seconds,
            "kind": kind,
            "message": message,
            "log": str(running.log),
            "log_tail": jobfolder.log_tail(running.log),
            "retry_in_s": delay,
        }
        if delay is not None:
            self._waiting[job.stage] = job
            self._refresh_ready([job.stage])
            self._not_before[job.stage] = time.monotonic() + delay
            return [event]
        self._over[job.stage] = "failed"
        events = [event, *self._skip_after(job.stage, f"{job.stage} failed")]
        if self.limits.fail_fast:
            events += self._skip(list(self._waiting), f"{job.stage} failed, and fail_fast is set")
            for stage in list(self._running):
                self._end(stage, f"{job.stage} failed, and fail_fast is set")
        return events

    def _skip_after(self, stage: str, because: str) -> list[dict[str, Any]]:
        waiting = [name for name in graphs.descendants(self.plan.graph, stage) if name in self._waiting]
        return self._skip(waiting, because)

    def _skip(self, stages: list[str], because: str) -> list[dict[str, Any]]:
        for name in stages:
            self._leave(name)
            self._over[name] = "skipped"
        return [{"event": "job_skipped", "stage": name, "because": because} for name in stages]

    def _stream(self) -> None:
        for running in self._running.values():
            self._say(*running.folder.poll())

    def _watch_time(self) -> None:
        now = time.monotonic()
        for stage, running in self._running.items():
            jobfolder.cut(running.log)
            if running.ending is None and now >= running.deadline:
                self._end(stage, "timeout")
            elif now >= running.kill_at:
                self.executor.terminate(stage, force=True)

    def _end(self, stage: str, why: str) -> None:
        running = self._running[stage]
        if running.ending is None:
            running.ending, running.kill_at = why, time.monotonic() + GRACE_S
            self.executor.terminate(stage, force=False)

    def _end_all(self) -> None:
        """Interrupted: start nothing more, ask once, insist the second time."""
        if self._waiting:
            self._say(*self._skip(list(self._waiting), "the run was interrupted"))
        for stage in self._running:
            self._end(stage, "the run was interrupted")
            if self.interrupts > 1:
                self.executor.terminate(stage, force=True)

    def _pause_s(self) -> float:
        if self._running:
            return POLL_S
        upcoming = [self._not_before.get(name, 0) - time.monotonic() for name in self._ready]
        return min(max(min(upcoming, default=0.0), 0.0), POLL_S)


def _timeout_s(job: Job) -> float | None:
    return job.spec.timeout and job.spec.timeout * (EMULATED_TIMES if job.place.emulated else 1)


def _chosen_status(result: Mapping[str, Any]) -> int | None:
    """Return the status with which the stage ended itself, by sys.exit.

    None where it did not, or says what cannot be.
    """
    status = result.get("exit_status")
    return status if type(status) is int and 0 < status < 256 else None


def _too_late(job: Job) -> str:
    times = f", {EMULATED_TIMES} times that of the YAML since it was emulated" if job.place.emulated else ""
    return f"it did not end within its timeout of {_timeout_s(job):g} s{times}"


def machine_limits(cpus: float | None, fail_fast: bool) -> Limits:
    """Return this machine's processors and memory as the jobs' common limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Limits(cpus or os.cpu_count() or 1, memory, fail_fast)


def _gate(job: Job, metric: str, rule: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    value = metrics.get(metric)
    return {
        "event": "gate",
        "stage": job.stage,
        "metric": metric,
        "rule": rule,
        "value": value,
        "passed": holds(value, rule),
    }
