"""Submits a plan to the cluster at most once at a time, however often the engine is killed.

A submission is recorded in outputs/.engine/kubeflow/submissions/ before it is made and after it.
The name of its run follows from the plan, so a run whose id was not recorded is found by its name.
KFP accepts the same name twice: if it got two requests for one run, all but the oldest run are
ended.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine import handles
from engine.durable import write_whole
from engine.kubeflow import following
from engine.kubeflow.client import Client, Json, NotFound, Unreachable
from engine.locks import Locks

VERSION = 1
FOLDER = "kubeflow/submissions"  # below the store
MOST_BYTES = 4_000_000  # of a record
BUSY_S = 0.2  # how often to check a submission that another engine makes
CONFIRM_S = 20.0  # how long a run is looked for if the server did not confirm it


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A run on the cluster, or the intention to create one."""

    key: str  # of the plan
    number: int  # from 1: how often the plan was submitted
    name: str  # of the run on the cluster
    host: str
    namespace: str | None
    stages: tuple[str, ...]  # the stages that it runs
    followers: tuple[str, ...] = ()  # the ids of the runs of this machine that followed it
    run_id: str | None = None  # None: the server has not confirmed it
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class Submissions:
    """The records of one outputs folder."""

    folder: Path

    def read(self, key: str) -> Submission | None:
        """Return the newest submission of a plan; None if there is none that can be read."""
        return _read(self.folder / f"{key}.json")

    def write(self, submission: Submission) -> Submission:
        """Record a submission durably, and return it."""
        data = json.dumps({"v": VERSION, **asdict(submission)}).encode()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / f"{submission.key}.json", data)
        return submission

    def newest_first(self) -> list[Submission]:
        """Return the newest submission of each plan, the one recorded last first."""
        paths = sorted(
            self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True
        )
        return [found for path in paths if (found := _read(path))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to submit."""

    key: str
    label: str  # begins the name of the run: use case and target
    stages: tuple[str, ...]  # what is left to run on the cluster
    follower: str  # the id of this machine's run
    body: Callable[[str], Json]  # name -> the run for the API; called only if it is submitted


@dataclass(frozen=True, slots=True)
class Submitter:
    """Submits plans to one server."""

    client: Client
    records: Submissions
    locks: Locks

    def submit(self, order: Order) -> tuple[Submission, bool]:
        """Return the run that executes the order, and whether it is new.

        A submission that was recorded and has not ended is continued, as is a run of the same plan that
        another outputs folder submitted and that has not ended. Raise Unreachable if the server does
        not answer.
        """
        while True:
            with self.locks.alone(f"kubeflow-{order.key}") as is_free:
                if is_free:
                    return self._submit(order)
            time.sleep(BUSY_S)

    def close(self, submission: Submission) -> None:
        """Record that the run has ended, and that its results were fetched as far as there are any."""
        self.records.write(replace(submission, has_ended=True))

    def _submit(self, order: Order) -> tuple[Submission, bool]:
        known = self.records.read(order.key)
        if known and not known.has_ended and set(known.stages) & set(order.stages):
            if found := self._found(known):
                return self._followed(known, found, order), False
            if known.run_id is None:
                return self._created(self._followed(known, None, order), order), True
        number = known.number + 1 if known else 1
        for one in self._unused(order, number):
            if isinstance(one, Submission):
                return self.records.write(one), False
            number = one
        fresh = self._submission(order, number)
        return self._created(self.records.write(fresh), order), True

    def _submission(self, order: Order, number: int, run_id: str | None = None) -> Submission:
        """Return the record of an order's run."""
        return Submission(
            key=order.key,
            number=number,
            name=_name(order, number),
            host=self.client.host,
            namespace=self.client.namespace,
            stages=order.stages,
            followers=(order.follower,),
            run_id=run_id,
        )

    def _found(self, known: Submission) -> str | None:
        """Return the id of the recorded run; None if the server does not have it."""
        if known.run_id is None:
            return self._only_one(known.name)
        try:
            self.client.run(known.run_id)
        except NotFound:
            return None
        return known.run_id

    def _followed(self, known: Submission, run_id: str | None, order: Order) -> Submission:
        followers = tuple(dict.fromkeys([*known.followers, order.follower]))
        return self.records.write(
            replace(known, run_id=run_id or known.run_id, followers=followers)
        )

    def _unused(self, order: Order, number: int) -> Iterator["int | Submission"]:
        """Yield the number of a name that no run has, or the submission of another outputs folder that
        still runs.
        """
        while runs := self.client.runs_named(_name(order, number)):
            if not following.has_ended(runs[0]):
                yield self._submission(order, number, str(runs[0]["run_id"]))
                return
            number += 1
        yield number

    def _created(self, submission: Submission, order: Order) -> Submission:
        """Create the run, once: an error does not mean that it does not exist."""
        body = order.body(submission.name)
        try:
            self.client.create_run(body)
        except Unreachable as error:
            if not self._appears(submission.name):
                raise Unreachable(f"{error}; the run was not submitted") from None
        run_id = self._only_one(submission.name)
        if run_id is None:
            raise Unreachable("it does not list the run that it created")
        return self.records.write(replace(submission, run_id=run_id))

    def _appears(self, name: str) -> bool:
        """Return whether a run of this name appears before long."""
        end = time.monotonic() + min(CONFIRM_S, self.client.retry_for_s)
        while not self.client.runs_named(name):
            if time.monotonic() > end:
                return False
            time.sleep(BUSY_S)
        return True

    def _only_one(self, name: str) -> str | None:
        """Return the id of the oldest run with this name, after ending all others."""
        runs = self.client.runs_named(name)
        for extra in runs[1:]:
            if not following.has_ended(extra):
                self.client.terminate(str(extra["run_id"]))
        return str(runs[0]["run_id"]) if runs else None


def body(
    name: str, spec: Mapping[str, Any], experiment_id: str, pipeline_root: str | None, note: str
) -> Json:
    """Return a run for the API. note: a description for people."""
    config = {"pipeline_root": pipeline_root} if pipeline_root else {}
    return {
        "display_name": name,
        "description": note,
        "experiment_id": experiment_id,
        "pipeline_spec": dict(spec),
        "runtime_config": config,
    }


def _name(order: Order, number: int) -> str:
    return f"{order.label}-{order.key[:12]}-{number}"


def _read(path: Path) -> Submission | None:
    try:
        data = json.loads(handles.read(path, MOST_BYTES))
        if data.pop("v") != VERSION:
            return None
        return Submission(
            **{
                **data,
                "stages": tuple(data["stages"]),
                "followers": tuple(data["followers"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
