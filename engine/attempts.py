"""Attempts at the jobs of one run, for every driver: lays out a job, launches it, reads its reports,
and publishes or refuses its outputs.

Scheduling, retries and time limits belong to the driver. Nothing is emitted here: events are
returned in the order in which the driver must emit them.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine import handles, jobfolder, outcome
from engine.context import DriverContext
from engine.errors import UserError
from engine.events import Gate, JobFailed, JobFinished, JobStarted
from engine.foreach import value_of
from engine.interfaces import Launcher
from engine.jobfolder import Ended, JobFolder, Launch
from engine.outcome import Failure, Judge
from engine.plan import Job, Plan, Planned, settle
from engine.publisher import Publisher
from engine.store import Record, Store
from engine.vocabulary import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAttempt:
    """An attempt that was launched."""

    folder: JobFolder
    log: Path
    started: JobStarted  # the event that records the launch
    reads: Mapping[str, str]  # its inputs from other stages, and their digests when it started
    lock: ExitStack  # keeps other engines from running the same job

    @property
    def job(self) -> Job:
        """Return the job."""
        return self.folder.job

    def poll(self) -> list[Event]:
        """Return what the stage reported since the last call, and keep its log within bounds."""
        jobfolder.cut(self.log)
        return [*self.folder.poll()]


@dataclass(slots=True)
class Attempts:
    """The attempts of one run, and the outputs of its finished stages."""

    plan: Plan
    store: Store
    executor: Launcher
    work: Path
    run_dir: Path
    digests: dict[str, Mapping[str, str]] = field(default_factory=dict)  # stage -> output -> digest
    counts: dict[str, int] = field(default_factory=dict)  # stage -> attempts so far
    _killed: set[str] = field(default_factory=set)  # engines whose leftovers were reclaimed
    # removing a folder may take as long as a stage
    _janitor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    @classmethod
    def of(cls, context: DriverContext) -> "Attempts":
        """Return the attempts of the driver's run."""
        return cls(context.plan, context.store, context.executor, context.work, context.run_dir)

    def start(self, job: Job) -> LiveAttempt | Planned | None:
        """Launch the job, whose inputs all exist.

        If the store already has its outputs, launch nothing and return the job with its record.
        Return None if another engine is running it.
        """
        planned = self._settled(job)
        lock = ExitStack()
        if planned.record is None:
            assert planned.fingerprint is not None
            is_free = lock.enter_context(self.store.locks.alone(planned.fingerprint))
            if not is_free or self._has_reclaimed(lock):
                lock.close()
                return None
            planned = self._settled(job)  # another engine may have finished it meanwhile
        if planned.record is not None:
            lock.close()
            return planned
        return self._launched(planned, lock)

    def begun(self, job: Job, number: int) -> JobStarted:
        """Return the event of an attempt that begins elsewhere, such as on a cluster.

        `start` is called when its results can be fetched, which is a new attempt only if the number
        differs.
        """
        self.counts[job.stage] = number - 1
        return self._started(self._settled(job), number, self.log_of(job))

    def log_of(self, job: Job) -> Path:
        """Return the path of the job's log in the run's folder."""
        return self.run_dir / "logs" / f"{job.stage}.log"

    def end(
        self, attempt: LiveAttempt, ended: Ended, ending: str | None = None
    ) -> tuple[list[Event], Record | Failure]:
        """Return the attempt's last reports, and its record in the store or why it failed.

        ending: why the driver ended it; `outcome.TIMEOUT` if it took too long.
        """
        jobfolder.cut(attempt.log)
        reported = attempt.folder.poll(to_the_end=True)
        judge = Judge(self.store, self.plan.assets, self.work)
        over = outcome.Attempt(
            folder=attempt.folder,
            log=attempt.log,
            ended=ended,
            ending=ending,
            reads=attempt.reads,
        )
        try:
            with attempt.lock:
                return [*reported], judge.outcome(over)
        finally:
            self._janitor.submit(handles.remove, attempt.folder.path)

    def publish(self, job: Job, record: Record) -> list[Gate]:
        """Publish a finished job's outputs to the user and to dependent stages; return the result of
        each gate.
        """
        self.digests[job.stage] = record.outputs
        return Publisher(self.store, self.run_dir).publish(job, record)

    def finished(self, attempt: LiveAttempt, ended: Ended, record: Record) -> JobFinished:
        """Return the event of an attempt that has a record."""
        return JobFinished(
            event="job_finished",
            stage=ended.stage,
            attempt=attempt.started["attempt"],
            seconds=ended.seconds,
            outputs=dict(record.outputs),
            metrics=dict(record.metrics),
            measured_on=record.measured_on,
        )

    def failed(
        self, attempt: LiveAttempt, ended: Ended, failure: Failure, retry_in_s: float | None = None
    ) -> JobFailed:
        """Return the event of a failed attempt; retry_in_s: seconds until the next one, if any."""
        return JobFailed(
            event="job_failed",
            stage=ended.stage,
            attempt=attempt.started["attempt"],
            seconds=ended.seconds,
            kind=failure.kind,
            message=failure.message,
            log=attempt.started["log"],
            log_tail="" if failure.is_on_request else jobfolder.log_tail(attempt.log),
            retry_in_s=retry_in_s,
        )

    def reads(self, job: Job) -> dict[str, str]:
        """Return the digests of the artifacts that the job reads, whose stages have all finished.

        Meanwhile another stage may find one of them damaged and have it rebuilt.
        """
        found: dict[str, str] = {}
        for name, ref in [(name, ref) for name, ref in job.inputs.items() if ref]:
            for stage in ref.stages:
                entry = f"{name}/{value_of(stage)}" if ref.each else name
                found[entry] = self.digests[stage][ref.name]
        return found

    def close(self) -> None:
        """Wait until the folders of all attempts have been removed."""
        self._janitor.shutdown()

    def _has_reclaimed(self, lock: ExitStack) -> bool:
        """Return whether other engines were killed since the last call; reclaim what they left.

        A killed engine's job is no longer locked, but its process or container may still be running
        in the job's checkpoint folder. The lock is released first, because another engine that has
        claimed the container waits for it.
        """
        killed = set(self.store.locks.abandoned()) - self._killed
        if not killed:
            return False
        self._killed |= killed
        lock.close()
        jobs = [self._settled(one.job) for one in self.plan.jobs.values()]
        with suppress(UserError):  # the container engine does not respond: the launch reports that
            self.executor.reclaim(jobs, self.work)
        return True

    def _settled(self, job: Job) -> Planned:
        return settle(job, self.digests, self.plan.assets, self.store, self.plan.forced)

    def _launched(self, planned: Planned, lock: ExitStack) -> LiveAttempt:
        job = planned.job
        number = self.counts[job.stage] = self.counts.get(job.stage, 0) + 1
        log = self._opened_log(job, number)
        path = self.work / f"{job.stage}-{number}"
        folder = jobfolder.lay_out(path, planned, self.digests, self.plan.assets, self.store)
        launch = Launch(
            job,
            folder.path,
            log,
            planned.fingerprint or "",
            self.run_dir.name,
            number,
            folder.inputs,
            folder.notes,
            folder.adopt,
        )
        attempt = LiveAttempt(
            folder=folder,
            log=log,
            started=self._started(planned, number, log),
            reads=self.reads(job),
            lock=lock,
        )
        self.executor.launch(launch)
        return attempt

    def _opened_log(self, job: Job, number: int) -> Path:
        log = self.log_of(job)
        log.parent.mkdir(exist_ok=True)
        jobfolder.open_log(log)
        if number > 1:
            handles.append(log, f"--- attempt {number}\n".encode())
        return log

    def _started(self, planned: Planned, number: int, log: Path) -> JobStarted:
        job = planned.job
        return JobStarted(
            event="job_started",
            stage=job.stage,
            attempt=number,
            fingerprint=planned.fingerprint,
            log=log.relative_to(self.run_dir).as_posix(),  # the run's folder may be moved
            platform=job.placement.platform,
            emulated=job.placement.emulated,
            measured_on=job.placement.measured_on,
        )
