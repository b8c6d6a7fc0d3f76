"""A run in this process: real plans, store and job folders, and an executor that runs a job inside `wait`."""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from engine import check, compose, registration, spec
from engine.attempts import Attempts
from engine.drivers import scheduler as schedulers
from engine.drivers.scheduler import Capacity, Scheduler
from engine.events import RunState, replay
from engine.jobfolder import Ended, Launch
from engine.placement import Placement
from engine.plan import Plan, Planned, ResolvedAsset, describe, settle_all
from engine.request import Request
from engine.signature import Library
from engine.store import Store
from engine.target import Target
from engine.vocabulary import Event
from tests import services
from tests.conftest import Project
from tests.run_events import EventBuilder, job

PLACES = {
    "build": Placement("linux/amd64", False, "x86_64"),
    "target": Placement("linux/amd64", False, "simulated on x86_64"),
}
TARGET = Target(name="rpi4", platform="linux/arm64", runtime="litert")
FREE = "from engine.stage import Out\ndef free(data: Out) -> dict: ...\n"  # may return any metric
Does = Callable[
    [Path, int], int | None
]  # job folder, attempt -> exit status; None: it runs until it is asked to end

SAMPLE = """
    name: sample
    description: numbers
    licence: MIT
    sample: true
    settings: {params: {n: 7}, assets: {other: null}}
    until: [a]
    made_by: {uses: mystages.make, output: data}
"""
READS = """
    name: reads
    params: {n: 3}
    assets: {mine: sample, other: model}
    stages:
      a: {uses: mystages.double, inputs: {number: "asset:mine"}}
      b: {uses: mystages.make, params: {n: "${params.n}"}}
"""
MODEL = "name: model\ndescription: a model\nlicence: null\nmade_by: {uses: mystages.make, output: data}\n"


class Inline:
    """Runs jobs in this process: a job runs from its launch until `wait` ends it."""

    def __init__(self) -> None:
        self.does: dict[str, Does] = {}
        self.stubborn: set[str] = set()  # stages that end only with force
        self.pick: Callable[[list[str]], str] = lambda running: running[
            0
        ]  # which of the running jobs ends next
        self.meanwhile: Callable[[], None] = lambda: None  # called while waiting for jobs
        self.launched: list[str] = []
        self.at_once: list[frozenset[str]] = []  # the running jobs after each launch
        self.times: list[float] = []
        self.told: list[tuple[str, bool]] = []  # requests to end: stage, by force
        self.reclaimed: list[tuple[list[str], list[str]]] = []
        self._running: dict[str, Launch] = {}
        self._killed: dict[str, int] = {}

    def launch(self, launch: Launch) -> None:
        """Record the job as running."""
        assert launch.job.stage not in self._running
        self._running[launch.job.stage] = launch
        self.launched.append(launch.job.stage)
        self.at_once.append(frozenset(self._running))
        self.times.append(time.monotonic())

    def wait(self, timeout_s: float) -> list[Ended]:
        """End one job."""
        self.meanwhile()
        able = [stage for stage in self._running if stage in self._killed or self._is_able(stage)]
        if not able:
            time.sleep(min(timeout_s, 0.01))
            return []
        stage = self.pick(able)
        launch = self._running.pop(stage)
        return [Ended(stage, self._killed.pop(stage, None) or self._status(stage, launch), 0.01)]

    def reclaim(self, planned: Iterable[Planned], work: Path) -> None:
        """Record which jobs of killed engines could be continued, and what was launched before."""
        wanted = [one.job.stage for one in planned if one.fingerprint and one.record is None]
        self.reclaimed.append((wanted, list(self.launched)))

    def terminate(self, stage: str, *, force: bool) -> None:
        """End the job at the next `wait`."""
        self.told.append((stage, force))
        if force or stage not in self.stubborn:
            self._killed[stage] = -9 if force else -15

    def _is_able(self, stage: str) -> bool:
        return self.does.get(stage) is not hangs

    def _status(self, stage: str, launch: Launch) -> int | None:
        return self.does.get(stage, writes)(launch.folder, self.launched.count(stage))


def writes(folder: Path, attempt: int) -> int:
    """Write each output: the job's own text, and the contents of its inputs."""
    job = json.loads((folder / "job.json").read_text())
    told = [Path(path).read_text() for path in job["inputs"].values() if path]
    words = job["command"][1:-1] if "command" in job else [job["function"]]
    for path in job["outputs"].values():
        Path(path).write_text(" ".join([*words, f"({', '.join(told)})"]))
    return 0


def fails(folder: Path, attempt: int) -> int:
    """End with exit status 3."""
    return 3


def hangs(folder: Path, attempt: int) -> int:
    """Run until asked to end."""
    raise AssertionError("it is never asked")


def succeeds_at(last: int) -> Does:
    """Fail until this attempt."""
    return lambda folder, attempt: writes(folder, attempt) if attempt >= last else 3


def returns(**metrics: float) -> Does:
    """Write the outputs and return these metrics."""

    def does(folder: Path, attempt: int) -> int:
        (folder / "result.json").write_text(json.dumps({"metrics": metrics}))
        return writes(folder, attempt)

    return does


class Bench:
    """One store, and any number of runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        (folder / "mystages").mkdir()
        (folder / "mystages" / "free.py").write_text(FREE)
        self.executor = Inline()
        self.events: list[Event] = []
        self.scheduler: Scheduler
        self._runs = 0

    def plan(self, stages: Mapping[str, Any], assets: Mapping[str, Path] | None = None) -> Plan:
        """Plan a use case of these stages."""
        assets = assets or {}
        usecase = spec.read(
            {
                "name": "u",
                "assets": {key: str(path) for key, path in assets.items()},
                "stages": stages,
            },
            "u.yaml",
        )[0]
        checked = check.check(
            usecase,
            Library(["mystages"], [self.folder]),
            lambda spec, _: PLACES.get(spec.runs_on, PLACES["build"]),
            "u.yaml",
        )
        resolved = {
            key: ResolvedAsset(key, str(path), path, self.store.assets.of(path), None, "", False)
            for key, path in assets.items()
        }
        planned = settle_all(checked.jobs, resolved, self.store)
        return Plan("u", TARGET, {}, None, resolved, planned, checked.graph, ())

    def run(
        self,
        stages: Mapping[str, Any] | Plan,
        cpus: float = 2,
        memory: int = 10**9,
        *,
        fail_fast: bool = False,
        gpus: int = 0,
    ) -> RunState:
        """Run to the end and return the state; `self.events` are the events of this run."""
        plan = stages if isinstance(stages, Plan) else self.plan(stages)
        self._runs += 1
        self.events = []
        self.executor.launched, self.executor.at_once, self.executor.times, self.executor.told = (
            [],
            [],
            [],
            [],
        )
        self._emit({"event": "run_started", "jobs": describe(plan)})
        with self.store.locks.work(f"run{self._runs}") as work:
            capacity = Capacity(cpus, memory, fail_fast, gpus)
            attempts = Attempts(plan, self.store, self.executor, work, self.run_dir)
            self.scheduler = Scheduler(attempts, capacity, self._emit)
            status = self.scheduler.run()
        self._emit({"event": "run_finished", "status": status, "seconds": 0.0})
        return replay(self.events)

    @property
    def run_dir(self) -> Path:
        """The folder of the last run."""
        folder = self.folder / f"run{self._runs}"
        folder.mkdir(exist_ok=True)
        return folder

    def kinds(self, *kinds: str) -> list[tuple[str, str]]:
        """The events of these kinds, as kind and stage."""
        return [
            (event["event"], event["stage"]) for event in self.events if event["event"] in kinds
        ]

    def _emit(self, *events: Mapping[str, Any]) -> None:
        self.events += [{"time": time.time(), **event} for event in events]


@pytest.fixture
def events() -> EventBuilder:
    """A run as a list of events; it builds their envelopes."""
    return EventBuilder()


@pytest.fixture
def make_job() -> Callable[..., dict[str, Any]]:
    """A stage as `run_started` has it."""
    return job


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A store and an executor in this process."""
    for name in ("POLL_S", "BUSY_S"):
        monkeypatch.setattr(schedulers, name, 0.02)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # durability does not matter here
    return Bench(tmp_path)


@pytest.fixture
def ran(project, give, chain_outputs):
    """The project after one run of its chain, copied from a real run."""
    shutil.copytree(chain_outputs, project.outputs, symlinks=True)
    return project


@pytest.fixture(scope="session")
def chain_outputs(tmp_path_factory):
    """The outputs of one run of the chain."""
    made = Project(tmp_path_factory.mktemp("chain"))
    made.done()
    return made.outputs


@pytest.fixture
def deaf():
    """An address on loopback that accepts a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def free_port():
    """A port on loopback that nobody listens on."""
    return services.free_port()


@pytest.fixture
def asks(project, monkeypatch):
    """Compose a command line in the project's folder."""
    (project.path / "conf" / "asset").mkdir()
    for name, text in (("sample", SAMPLE), ("model", MODEL)):
        (project.path / "conf" / "asset" / f"{name}.yaml").write_text(dedent(text))
    project.usecase("reads", READS)
    monkeypatch.chdir(project.path)

    def ask(*words: str) -> Request:
        given = ["--config-dir", str(project.path / "conf"), "stage_packages=[mystages]", *words]
        return compose.single(registration.register(given))

    return ask
