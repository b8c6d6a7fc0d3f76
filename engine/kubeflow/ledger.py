"""Which stages of the cluster's part are open, running, fetched or over, and the events of each change.

It asks neither the server nor the data root.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine import graph as graphs
from engine.attempts import Attempts, LiveAttempt
from engine.events import JobFailed, JobSkipped, Note
from engine.interfaces import Emit
from engine.jobfolder import Ended, log_tail
from engine.kubeflow.following import Task
from engine.outcome import Failure
from engine.plan import Job, Planned
from engine.publisher import cached, is_rejected
from engine.store import Record
from engine.vocabulary import Event


@dataclass(slots=True)
class Ledger:
    """The stages of one run."""

    attempts: Attempts
    emit: Emit
    open: dict[str, Job] = field(default_factory=dict)  # neither over nor being fetched
    over: dict[str, str] = field(default_factory=dict)  # -> finished, failed, rejected, skipped
    fetching: dict[str, LiveAttempt] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)  # stage -> its last attempt on the cluster

    def publish_cached(self, planned: Iterable[Planned]) -> None:
        """Publish the stages that the store has; the others become open."""
        events: list[Event] = []
        for one in planned:
            stage, record = one.job.stage, one.record
            if stage in self.over:  # skipped: a gate rejected a stage before it
                continue
            if record is None or any(need not in self.attempts.digests for need in one.job.needs):
                self.open[stage] = one.job
            else:
                events += self._published(one.job, record, cached(stage, record))
        self.emit(*events)

    def is_ready(self, stage: str) -> bool:
        """Return whether everything that the stage reads is here."""
        return all(need in self.attempts.digests for need in self.open[stage].needs)

    def begin(self, stage: str, task: Task, lost: str) -> None:
        """Report that an attempt runs on the cluster; lost: why the one before it ended."""
        before = self.begun.get(stage, 0)
        if task.attempt <= before:
            return
        events: list[Event] = []
        for number in range(before + 1, task.attempt + 1):
            if number > 1:
                events.append(self._lost(stage, number - 1, lost))
            events.append(self.attempts.begun(self.open[stage], number))
        self.begun[stage] = task.attempt
        self.emit(*events)

    def fetch(self, stage: str) -> None:
        """Start to fetch a stage that ended on the cluster.

        It stays open while another engine runs or fetches it.
        """
        job = self.open[stage]
        self.attempts.counts[stage] = max(0, self.begun.get(stage, 1) - 1)
        found = self.attempts.start(job)
        if found is None:
            return
        del self.open[stage]
        if isinstance(found, LiveAttempt):
            self.fetching[stage] = found
        elif found.record:
            self.emit(*self._published(job, found.record, cached(stage, found.record)))

    def finish(self, ended: Ended, ending: str | None = None) -> None:
        """Commit or refuse what was fetched.

        ending: why this engine gave it up, as a sentence; the stage is then skipped, not failed.
        """
        stage = ended.stage
        attempt = self.fetching.pop(stage)
        reported, found = self.attempts.end(attempt, ended, ending)
        events: list[Event] = [] if stage in self.begun else [attempt.started]
        self.begun.setdefault(stage, 1)
        if isinstance(found, Record):
            finished = self.attempts.finished(attempt, ended, found)
            self.emit(*events, *reported, *self._published(attempt.job, found, finished))
        elif ending is None:
            failed = self.attempts.failed(attempt, ended, found)
            self.emit(*events, *reported, *self._failed(stage, failed))
        else:
            self.emit(*events, *reported, *self._skipped([stage], ending))

    def finish_earlier(self, ended: Ended) -> bool:
        """Commit an earlier result; if it cannot be used, the stage is open again.

        Return whether it was used.
        """
        stage = ended.stage
        attempt = self.fetching.pop(stage)
        reported, found = self.attempts.end(attempt, ended)
        if isinstance(found, Record):
            finished = self.attempts.finished(attempt, ended, found)
            self.begun[stage] = 1
            self.emit(attempt.started, *reported, *self._published(attempt.job, found, finished))
            return True
        self.open[stage] = attempt.job
        text = f"an earlier result of {stage} cannot be used, so it runs again: {found.message}"
        self.emit(Note(event="note", stage=None, text=text))
        return False

    def fail(self, stage: str, failure: Failure) -> None:
        """Report the failure of a stage that has nothing to fetch."""
        job = self.open.pop(stage)
        number = self.begun.get(stage, 0)
        started = [] if number else [self.attempts.begun(job, 1)]
        failed = self._failure(job, number or 1, failure, None)
        self.emit(*started, *self._failed(stage, failed))

    def skip_all(self, because: str) -> None:
        """Skip every open stage."""
        self.emit(*self._skipped(list(self.open), because))

    def _lost(self, stage: str, number: int, why: str) -> JobFailed:
        return self._failure(self.open[stage], number, Failure("killed", why), 0.0)

    def _failure(
        self, job: Job, number: int, failure: Failure, retry_in_s: float | None
    ) -> JobFailed:
        log = self.attempts.log_of(job)
        return JobFailed(
            event="job_failed",
            stage=job.stage,
            attempt=number,
            seconds=0.0,
            kind=failure.kind,
            message=failure.message,
            log=log.relative_to(self.attempts.run_dir).as_posix(),
            log_tail=log_tail(log),
            retry_in_s=retry_in_s,
        )

    def _published(self, job: Job, record: Record, event: Event) -> list[Event]:
        """Publish a finished job, and skip what depends on it if a gate rejects it."""
        gates = self.attempts.publish(job, record)
        if not is_rejected(gates):
            self.over[job.stage] = "finished"
            return [event, *gates]
        self.over[job.stage] = "rejected"
        because = f"{job.stage} was rejected by its gate"
        return [event, *gates, *self._skipped(self._after(job.stage), because)]

    def _failed(self, stage: str, failed: JobFailed) -> list[Event]:
        self.over[stage] = "failed"
        return [failed, *self._skipped(self._after(stage), f"{stage} failed")]

    def _after(self, stage: str) -> list[str]:
        found = graphs.descendants(self.attempts.plan.graph, stage)
        return [name for name in found if name not in self.over]

    def _skipped(self, stages: Iterable[str], because: str) -> list[Event]:
        events: list[Event] = []
        for name in stages:
            self.open.pop(name, None)
            self.over[name] = "skipped"
            events.append(JobSkipped(event="job_skipped", stage=name, because=because))
        return events
