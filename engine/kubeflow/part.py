"""Runs the cluster's part of a plan: takes the results that are there, submits the rest, follows it.

A stage that the cluster finished becomes an ordinary finished stage as soon as those that it reads
have. Ctrl-C detaches: the cluster goes on, and the same command continues here.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.errors import UserError
from engine.events import Note
from engine.kubeflow import failures, following
from engine.kubeflow.client import Client, Json, NotFound, Unreachable
from engine.kubeflow.following import Task
from engine.kubeflow.ledger import Ledger
from engine.kubeflow.logs import Logs
from engine.kubeflow.results import Expected, Results
from engine.kubeflow.submission import Order, Submission, Submitter
from engine.outcome import Failure

PAUSE_S = 0.1  # how often a fetch or an interrupt is noticed
LOGS_AT_ONCE = 8  # of running tasks, at each look


@dataclass(slots=True)
class ClusterPart:
    """The stages of one run that belong to a cluster."""

    ledger: Ledger
    results: Results
    client: Client
    submitter: Submitter
    # stages, and those among them whose earlier results cannot be used -> what to submit
    order: Callable[[tuple[str, ...], frozenset[str]], Order]
    tasks: Mapping[str, str]  # name of a task -> stage, if the server does not return it
    poll_s: float
    fail_fast: bool
    interrupts: int = 0
    pruned: str = ""
    has_detached: bool = False
    has_failed: bool = False  # not because of a stage
    _unusable: set[str] = field(default_factory=set)  # stages with damaged or other results
    _was_ended_here: bool = False  # by fail_fast
    _ended: dict[str, Task] = field(default_factory=dict)  # stages that ended on the cluster

    def run(self) -> None:
        """Run until every stage is over, or the run is interrupted or pruned."""
        self._take_earlier_results()
        while self.ledger.open and not self._is_cut():
            if not self._submit_and_follow():
                break
        self._finish_fetching()
        if self._is_cut():
            self.ledger.skip_all("the run was interrupted" if self.interrupts else self.pruned)

    def _is_cut(self) -> bool:
        return bool(self.interrupts or self.pruned)

    def _take_earlier_results(self) -> None:
        """Fetch what an earlier run of the cluster finished and this store lacks."""
        looked: set[str] = set()
        while not self._is_cut():
            ready = [
                stage
                for stage in self.ledger.open
                if stage not in looked and self.ledger.is_ready(stage)
            ]
            for stage in ready:
                looked.add(stage)
                self._take_earlier(stage)
            if not ready and not self.ledger.fetching:
                return
            for ended in self.results.wait(PAUSE_S):
                if not self.ledger.finish_earlier(ended):
                    self._unusable.add(ended.stage)

    def _take_earlier(self, stage: str) -> None:
        if stage in self.ledger.attempts.plan.forced:
            return
        report = self.results.reports.find(stage)
        if report and report.is_success:
            self._fetch(stage, Task(state="done"), None)

    def _submit_and_follow(self) -> bool:
        """Return whether what is open may be submitted again: the run did not contain all of it."""
        submitted = self._submitted()
        if submitted is None:
            return False
        submission, is_new = submitted
        self._note(_announced(submission, is_new))
        assert submission.run_id is not None
        self.results.logs = Logs(
            self.client, submission.run_id, self.ledger.attempts.run_dir / "logs"
        )
        try:
            run = self._follow(submission.run_id)
        except NotFound:
            self.submitter.close(submission)
            what = f"the server does not know the run {submission.name} any more"
            return self._give_up(f"{what}; the same command submits what is left")
        except (Unreachable, UserError) as error:
            if self._is_cut():
                return self._leave(submission)
            what = (
                f"{error.where}: {error.what}; {error.fix}"
                if isinstance(error, UserError)
                else str(error)
            )
            text = f"cannot follow the run {submission.name}, which goes on on the cluster: {what}"
            return self._give_up(f"{text}; the same command continues")
        if run is None:
            return self._leave(submission)
        self.submitter.close(submission)
        return self._conclude(run, submission)

    def _submitted(self) -> tuple[Submission, bool] | None:
        """Return the run that executes what is open, and whether it is new; None if this run was cut."""
        try:
            return self.submitter.submit(
                self.order(tuple(self.ledger.open), frozenset(self._unusable))
            )
        except (Unreachable, NotFound) as error:
            if self._is_cut():
                return None
            what = str(error) or "it has no KFP API (404)"
            fix = "repeat the command: it looks for the run before it submits another"
            raise UserError(self.client.where, what, fix) from None

    def _follow(self, run_id: str) -> Json | None:
        """Follow the run until it ended and everything was fetched; None if this run was cut."""
        look_at = 0.0
        while True:
            if self._is_cut():
                return None
            if time.monotonic() >= look_at:
                run = self.client.run(run_id)
                self._look(run, run_id)
                look_at = time.monotonic() + self.poll_s
            self._fetch_ended(run_id)
            if self.fail_fast and "failed" in self.ledger.over.values():
                self._end_on_cluster(run, run_id)
            is_idle = not self.ledger.fetching and not self._fetchable()
            if is_idle and (following.has_ended(run) or not self.ledger.open):
                return self._last_look(run, run_id)
            self._collect(PAUSE_S)

    def _end_on_cluster(self, run: Json, run_id: str) -> None:
        """End the run because a stage failed, unless that was done before."""
        if self._was_ended_here or following.has_ended(run):
            return
        self._was_ended_here = True
        self._note("ending the run on the cluster: a stage failed, and fail_fast is set")
        self.client.terminate(run_id)
        self.ledger.skip_all("a stage failed, and fail_fast is set")

    def _last_look(self, run: Json, run_id: str) -> Json:
        """Return the run as it ended; a run whose gate failed may take a moment."""
        return run if following.has_ended(run) else self.client.run(run_id)

    def _look(self, run: Json, run_id: str) -> None:
        """Report what changed on the cluster since the last look."""
        left = LOGS_AT_ONCE
        tasks = following.stages_of(run) or self.tasks
        for stage, task in following.tasks(run, tasks).items():
            if stage not in self.ledger.open:
                continue
            if task.state == "failed" and following.is_cancelled(run):
                continue
            if task.state in ("done", "failed"):
                self._ended[stage] = task
            if task.state != "waiting" and self.ledger.is_ready(stage):
                self.ledger.begin(stage, task, failures.lost(task))
            if task.state == "running" and task.attempt == 1 and task.pods and left:
                left -= 1
                if self.results.logs:
                    self.results.logs.poll(stage, task.pods[-1])

    def _fetchable(self) -> list[str]:
        """Return the open stages that have ended on the cluster and whose inputs are here."""
        found = [stage for stage in self._ended if stage in self.ledger.open]
        return [stage for stage in found if self.ledger.is_ready(stage)]

    def _fetch_ended(self, run_id: str) -> None:
        for stage in self._fetchable():
            task = self._ended[stage]
            self.ledger.begin(stage, task, failures.lost(task))
            self._fetch(stage, task, run_id)

    def _fetch(self, stage: str, task: Task, run_id: str | None) -> None:
        expected = Expected(
            task=task,
            run_id=run_id,
            is_forced=stage in self.ledger.attempts.plan.forced | self._unusable,
            reads=self.ledger.attempts.reads(self.ledger.open[stage]),
        )
        self.results.expect(stage, expected)
        self.ledger.fetch(stage)

    def _collect(self, timeout_s: float) -> None:
        for ended in self.results.wait(timeout_s):
            self.ledger.finish(ended)

    def _finish_fetching(self) -> None:
        """Wait for the fetches in progress; give them up at the second interrupt."""
        while self.ledger.fetching:
            for ended in self.results.wait(PAUSE_S):
                was_given_up = ended.status is None and self.interrupts > 1
                self.ledger.finish(ended, "the run was interrupted" if was_given_up else None)
            if self.interrupts > 1:
                for stage in list(self.ledger.fetching):
                    self.results.terminate(stage, force=True)

    def _leave(self, submission: Submission) -> bool:
        """Detach from the run, or end it if this run is pruned."""
        self._finish_fetching()
        if self.pruned and submission.run_id:
            try:
                self.client.terminate(submission.run_id)
                self.submitter.close(submission)
            except (Unreachable, NotFound, UserError):
                self._note(f"the run {submission.name} could not be ended on the cluster")
            return False
        self.has_detached = True
        self._note(
            f"the run {submission.name} goes on on the cluster: the same command continues here, and "
            "python run.py cancel ends it"
        )
        self.ledger.skip_all("this engine no longer follows the cluster")
        return False

    def _give_up(self, what: str) -> bool:
        self._finish_fetching()
        self.has_failed = True
        self._note(what)
        self.ledger.skip_all("the run could not be followed")
        return False

    def _conclude(self, run: Json, submission: Submission) -> bool:
        """Report what an ended run left open; return whether it may be submitted again."""
        state = following.state(run)
        if self._was_ended_here:
            return False
        if state == "cancelled":
            self.has_detached = True
            self._note(f"the run {submission.name} was cancelled on the cluster")
            self.ledger.skip_all("the run was cancelled on the cluster")
            return False
        if state == "done":
            in_run = {*following.stages_of(run).values()} or {*submission.stages}
            for stage in [stage for stage in self.ledger.open if stage in in_run]:
                if stage in self.ledger.open:  # it may have been skipped meanwhile
                    what = "the cluster's run succeeded without it; repeat the command"
                    self.ledger.fail(stage, Failure("failed", what))
            return bool(self.ledger.open)
        if self.ledger.open:
            cause = following.error(run)
            why = f"the run failed on the cluster{f': {cause}' if cause else ''}"
            if not {"failed", "rejected"} & set(self.ledger.over.values()):
                self.has_failed = True
                self._note(why)
            self.ledger.skip_all(why)
        return False

    def _note(self, text: str) -> None:
        self.ledger.emit(Note(event="note", stage=None, text=text))


def _announced(submission: Submission, is_new: bool) -> str:
    word = "submitted to" if is_new else "continuing with the run on"
    page = f"{submission.host}/#/runs/details/{submission.run_id}"
    return f"{word} the cluster: {submission.name}, {page}"
