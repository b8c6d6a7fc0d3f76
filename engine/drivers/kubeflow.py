"""Runs a plan on a Kubeflow Pipelines cluster, and on this machine what comes after the device.

A target with a device: its stages, and those that read what they made, run here after the cluster's
part, through the ordinary scheduler.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace

from engine.attempts import Attempts
from engine.context import DriverContext
from engine.drivers import scheduler
from engine.drivers.scheduler import Scheduler
from engine.errors import raise_all
from engine.interfaces import Launcher
from engine.kubeflow import checks, document, keys, names, pipeline, sources, submission, tasks
from engine.kubeflow.client import Client, Json
from engine.kubeflow.data import DataRoot
from engine.kubeflow.ledger import Ledger
from engine.kubeflow.part import ClusterPart
from engine.kubeflow.reports import Reports
from engine.kubeflow.results import Results
from engine.kubeflow.submission import Order, Submissions, Submitter
from engine.plan import Plan, from_device_on, settle
from engine.vocabulary import RunStatus


def driver(context: DriverContext) -> "Kubeflow":
    """Return the driver for one run."""
    return Kubeflow(context)


class Kubeflow:
    """One run of a plan."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._plan = context.plan
        jobs = {name: planned.job for name, planned in self._plan.jobs.items()}
        self._here = from_device_on(jobs, self._plan.target)
        self._there = tuple(name for name in jobs if name not in self._here)
        self._keys = keys.of_stages(self._plan)
        self._attempts = self._of(self._plan, self._results())
        self._ledger = Ledger(self._attempts, context.emit)
        self._scheduler: Scheduler | None = None
        self._part: ClusterPart | None = None
        self._interrupts = 0
        self._pruned = ""

    def interrupt(self) -> None:
        """Detach from the cluster: when a transfer ended, and at once at the second call."""
        self._interrupts += 1
        if self._part:
            self._part.interrupts = self._interrupts
        if self._scheduler:
            self._scheduler.interrupt()

    def prune(self, why: str) -> None:
        """End the run, on the cluster too."""
        self._pruned = why
        if self._part:
            self._part.pruned = why
        if self._scheduler:
            self._scheduler.prune(why)

    def run(self) -> RunStatus:
        """Run the plan to its end, and return the status of the run."""
        self._ledger.publish_cached([self._plan.jobs[name] for name in self._there])
        if self._ledger.open:
            self._part = self._cluster_part()
            self._part.run()
        status = self._status()
        rest = self._run_rest(status)
        self._attempts.close()
        return _worst(status, rest)

    def _status(self) -> RunStatus:
        part, over = self._part, self._ledger.over.values()
        if self._interrupts or (part and part.has_detached):
            return "interrupted"
        if self._pruned and "skipped" in over:
            return "pruned"
        if "failed" in over or (part and part.has_failed):
            return "failed"
        return "rejected" if "rejected" in over else "finished"

    def _run_rest(self, status: RunStatus) -> RunStatus:
        """Run what belongs on this machine, as far as its inputs exist."""
        open_here = [name for name in self._plan.jobs if name in self._here]
        blocked = self._blocked(open_here, status)
        self._ledger.open = {name: self._plan.jobs[name].job for name in blocked}
        self._ledger.skip_all("a stage that it needs did not finish, or the run was ended")
        left = [name for name in open_here if name not in blocked]
        if not left:
            return "finished"
        plan = replace(
            self._plan,
            jobs={name: self._plan.jobs[name] for name in left},
            graph=self._plan.graph.only(left),
        )
        made = scheduler.driver(replace(self._context, plan=plan))
        made.attempts.digests.update(self._attempts.digests)
        self._scheduler = made
        return made.run()

    def _blocked(self, names: Collection[str], status: RunStatus) -> set[str]:
        """Return the stages among these that cannot run."""
        if status in ("interrupted", "pruned") or (status == "failed" and self._context.fail_fast):
            return set(names)
        blocked: set[str] = set()
        for name in names:
            for need in self._plan.jobs[name].job.needs:
                is_over = need not in self._here and self._ledger.over.get(need) != "finished"
                if is_over or need in blocked:
                    blocked.add(name)
        return blocked

    def _results(self) -> Results:
        settings = self._context.kubeflow
        root = DataRoot(
            str(settings.data_root), self._context.say, settings.timeout_s, self._context.work
        )
        usecase, target = self._plan.usecase, self._plan.target.name
        return Results(
            Reports(
                root,
                names.of_pipeline(usecase, target),
                self._keys,
                tasks.is_folder(settings),
            )
        )

    def _of(self, plan: Plan, executor: Launcher) -> Attempts:
        context = self._context
        return Attempts(plan, context.store, executor, context.work, context.run_dir)

    def _cluster_part(self) -> ClusterPart:
        settings, store = self._context.kubeflow, self._context.store
        client = Client.of(settings)
        client.is_wanted = lambda: not (self._interrupts or self._pruned)
        results = self._attempts.executor
        assert isinstance(results, Results)
        return ClusterPart(
            ledger=self._ledger,
            results=results,
            client=client,
            submitter=Submitter(client, Submissions(store.root / submission.FOLDER), store.locks),
            order=lambda stages, unusable: self._order(client, stages, unusable),
            tasks={task: one for one, task in names.of_tasks(self._there).stages.items()},
            poll_s=settings.poll_s,
            fail_fast=self._context.fail_fast,
            interrupts=self._interrupts,
            pruned=self._pruned,
        )

    def _order(self, client: Client, stages: tuple[str, ...], unusable: frozenset[str]) -> Order:
        forced = self._plan.forced | unusable
        usecase, target = self._plan.usecase, self._plan.target.name
        return Order(
            key=self._plan_key(client, forced),
            label=names.of_pipeline(usecase, target),
            stages=stages,
            follower=self._context.run_dir.name,
            body=lambda name: self._body(client, name, stages, forced),
        )

    def _plan_key(self, client: Client, forced: frozenset[str]) -> str:
        """Return what identifies the plan on this cluster, whatever of it is cached.

        A changed gate makes another plan, because the gates are a part of the pipeline.
        """
        jobs = self._plan.jobs
        there = {name: [self._keys[name], jobs[name].job.spec.require] for name in self._there}
        again = sorted(forced.intersection(there))
        text = json.dumps([client.host, client.namespace, there, again], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _body(
        self, client: Client, name: str, stages: tuple[str, ...], forced: frozenset[str]
    ) -> Json:
        """Upload what the stages read, and return the run for the API."""
        settings, executors = self._context.kubeflow, self._context.executors
        assert executors is not None
        plan = replace(self._with_records(), forced=forced)
        where = f"usecases/{plan.usecase}.yaml"
        gathered = sources.gather(plan, stages, executors, self._context.say)
        made = pipeline.compiled(plan, settings, gathered, stages)
        raise_all([*checks.of_pipeline(made, where)])
        document.validate(made)
        root = None if tasks.is_folder(settings) else f"{settings.data_root}/{pipeline.ROOT}"
        return submission.body(
            name,
            {"pipeline_spec": dict(made.spec), "platform_spec": dict(made.platforms)},
            client.experiment(settings.experiment),
            root,
            f"{plan.usecase} on {plan.target.name}: run {self._context.run_dir.name}",
        )

    def _with_records(self) -> Plan:
        """Return the plan with the records of the stages that have finished by now."""
        jobs = dict(self._plan.jobs)
        for name in self._attempts.digests:
            job, store = jobs[name].job, self._context.store
            jobs[name] = settle(job, self._attempts.digests, self._plan.assets, store)
        return replace(self._plan, jobs=jobs)


def _worst(first: RunStatus, second: RunStatus) -> RunStatus:
    """Return the status of a run that has two parts."""
    order: tuple[RunStatus, ...] = ("interrupted", "pruned", "failed", "rejected", "finished")
    return min(first, second, key=order.index)
