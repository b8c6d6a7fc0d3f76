"""An executor under test: job folders are laid out as by the scheduler, and its processes are counted."""

import importlib
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import check, jobfolder, spec
from engine.containers.options import LABEL
from engine.context import ExecutorContext
from engine.images import Image
from engine.jobfolder import Ended, JobFolder, Launch
from engine.plan import Planned, ResolvedAsset, settle
from engine.signature import Library
from engine.store import Store
from engine.target import Target, platform_of

ROOT = Path(__file__).resolve().parents[3]
# all but `kubeflow`, whose jobs the driver gives to a cluster: tests/engine/drivers/test_kubeflow.py
EXECUTORS = sorted(
    path.stem
    for path in (ROOT / "engine" / "executors").glob("[a-z]*.py")
    if path.stem != "kubeflow"
)
MARKS = {"docker": ("docker",), "device": ("docker", "ssh")}
# in the environment of the executor, and so of programs that inherit it, such as ssh
MARK = "RPI_MLOPS_TEST_EXECUTOR"
TARGET = Target(name="here", platform=platform_of(platform.machine()), runtime="litert")

ACT = '''
import os, signal, subprocess, sys, tempfile, time
from pathlib import Path
from engine.stage import Out, StageError, metric, progress
def act(data: Out, *, code: str) -> dict:
    """Do as the test says, then write the output."""
    here = {}
    exec(code, globals() | {"data": data}, here)
    data.write_text(str(here.get("text", "done")))
    return here.get("metrics", {})
'''

Digests = Mapping[str, Mapping[str, str]]  # stage -> output -> digest
NOTHING: Digests = {}


class Bench:
    """An executor, its job folders, and the processes that it started."""

    def __init__(
        self, name: str, folder: Path, mark: str, images: tuple[Image, ...] = (), **options: Any
    ) -> None:
        self.folder, self.name, self.mark, self.store = folder, name, mark, Store(folder / "store")
        self.client: Any = None  # of its container engine
        (folder / "mystages").mkdir(exist_ok=True)
        (folder / "mystages" / "act.py").write_text(ACT)
        self.context = ExecutorContext(
            options.pop("target", TARGET),
            (folder, ROOT),
            ("mystages",),
            lambda: images,
            folder / "store",
            options.pop("ssh_config", None),
            options,
        )
        self.make = importlib.import_module(f"engine.executors.{name}").Executor
        self.executor = self.make(self.context)

    def plan(
        self,
        stage: str,
        keys: Mapping[str, object],
        asset: Path | None = None,
        made: Digests = NOTHING,
    ) -> tuple[Planned, dict[str, ResolvedAsset]]:
        """Settle the stage's job."""
        stages = {
            **{one: {"uses": "mystages.act", "params": {"code": ""}} for one in made},
            stage: keys,
        }
        usecase = spec.read(
            {"name": "u", "assets": {"mine": str(asset) if asset else None}, "stages": stages},
            "u.yaml",
        )[0]
        job = check.check(
            usecase, Library(["mystages"], [self.folder]), self.executor.place, "u.yaml"
        ).jobs[stage]
        assets = (
            {
                "mine": ResolvedAsset(
                    "mine", "mine", asset, self.store.assets.of(asset), None, "", False
                )
            }
            if asset
            else {}
        )
        return settle(job, made, assets, self.store), assets

    def lay_out(
        self,
        stage: str,
        keys: Mapping[str, object],
        asset: Path | None = None,
        made: Digests = NOTHING,
    ) -> tuple[JobFolder, Launch]:
        """Make the folder of a stage's job, like the scheduler; made: outputs of other stages in the store."""
        planned, assets = self.plan(stage, keys, asset, made)
        folder = jobfolder.lay_out(
            self.folder / f"{stage}-{uuid.uuid4().hex[:6]}", planned, made, assets, self.store
        )
        run = f"run-{self.mark}"
        return folder, Launch(
            planned.job,
            folder.path,
            folder.path / "log",
            planned.fingerprint or "",
            run,
            1,
            folder.inputs,
        )

    def start(self, code: str, stage: str = "s", **keys: object) -> JobFolder:
        """Launch a stage that does this."""
        folder, launch = self.lay_out(
            stage, {"uses": "mystages.act", "params": {"code": code}, **keys}
        )
        self.executor.launch(launch)
        return folder

    def end(self, jobs: int = 1, within_s: float = 300) -> list[Ended]:
        """Wait until this many jobs have ended."""
        ended: list[Ended] = []
        limit = time.monotonic() + within_s
        while len(ended) < jobs:
            assert time.monotonic() < limit, (
                f"{jobs - len(ended)} jobs did not end within {within_s} s"
            )
            ended += self.executor.wait(0.2)
        return ended

    def until(self, folder: JobFolder, name: str, within_s: float = 300) -> None:
        """Wait for a file in the stage's working folder, while polling the executor."""
        limit = time.monotonic() + within_s
        while not self._has(folder, name):
            assert time.monotonic() < limit, f"no {name} within {within_s} s"
            assert self.executor.wait(0.05) == []

    def put(self, folder: JobFolder, name: str) -> None:
        """Create a file in the stage's working folder."""
        if self.name == "device":
            self._inside(folder, "touch", name)
        else:
            (folder.path / "cwd" / name).touch()

    def _has(self, folder: JobFolder, name: str) -> bool:
        return (
            self._inside(folder, "test", "-e", name)
            if self.name == "device"
            else (folder.path / "cwd" / name).exists()
        )

    def _inside(self, folder: JobFolder, *command: str) -> bool:
        found = self.client.containers.list(filters={"label": f"{LABEL}.folder={folder.path}"})
        return bool(found) and found[0].exec_run(list(command)).exit_code == 0

    def container(self, folder: JobFolder) -> Any:
        """Return the stage's container once its engine reports that it runs, which may be later than the
        stage's first effects.
        """
        limit = time.monotonic() + 300
        while not (
            found := self.client.containers.list(filters={"label": f"{LABEL}.folder={folder.path}"})
        ):
            assert time.monotonic() < limit, "no container"
            assert self.executor.wait(0.05) == []
        [container] = found
        return container

    def does(self, code: str, **keys: object) -> tuple[JobFolder, Ended]:
        """Launch a stage that does this and wait for its end."""
        folder = self.start(code, **keys)
        [ended] = self.end()
        return folder, ended

    def says(self, expression: str, **keys: object) -> str:
        """Return the value of the expression inside a stage."""
        folder, ended = self.does(f"text = {expression}", **keys)
        assert ended.status == 0, f"{ended}\n{(folder.path / 'log').read_text()}"
        return (folder.path / "out" / "data").read_text()

    def processes(self) -> list[int]:
        """The living processes that the executor started, visible to this process or in its containers."""
        return sorted({*self.local_processes(), *self._in_containers()})

    def local_processes(self) -> list[int]:
        """The processes that are visible to this process."""
        return [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_ours(pid)
        ]

    def _in_containers(self) -> Iterator[int]:
        if self.client is None:
            return
        for container in self.client.containers.list(
            filters={"label": f"{LABEL}={self.context.store}"}
        ):
            with suppress(Exception):  # it ended meanwhile
                yield from (int(row[1]) for row in container.top()["Processes"])

    def _is_ours(self, pid: int) -> bool:
        marks = (
            f"{MARK}={self.mark}\0",
            f"{self.folder}/",
            f"{self.folder}:",
        )  # PYTHONPATH, even if it contains the job's own folder
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
            if not any(mark.encode() in environment for mark in marks):
                return False
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def are_gone(self, processes: list[int], within_s: float = 300) -> bool:
        """Return whether these processes end in time."""
        limit = time.monotonic() + within_s
        while set(processes) & set(self.processes()):
            if time.monotonic() > limit:
                return False
            time.sleep(0.05)
        return True


@pytest.fixture
def make_bench(tmp_path, monkeypatch) -> Iterator[Callable[..., Bench]]:
    """Create an executor by name; processes that it leaves running end with the test."""
    made: list[Bench] = []

    def make(name: str, *images: Image, **options: Any) -> Bench:
        mark = uuid.uuid4().hex
        monkeypatch.setenv(MARK, mark)
        made.append(Bench(name, tmp_path, mark, images, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.executor.close()  # first, because one of its processes may be the connection to its containers
        for pid in bench.local_processes():
            with suppress(ProcessLookupError):
                os.kill(pid, 9)


@pytest.fixture
def local_bench(make_bench) -> Bench:
    """Processes of this machine."""
    return make_bench("local")


@pytest.fixture
def docker_bench(docker_engine, plain_image, monkeypatch, make_bench) -> Bench:
    """Containers of a Docker engine."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    made = make_bench("docker", plain_image)
    made.client = docker_engine.client()
    return made


@pytest.fixture
def device_bench(docker_engine, plain_image, sshd, tmp_path, make_bench) -> Bench:
    """Containers of a Docker engine over SSH."""
    config = tmp_path / "ssh_config"
    config.write_text(sshd.config)
    target = TARGET.model_copy(
        update={"device": f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.socket}"}
    )
    made = make_bench("device", plain_image, target=target, ssh_config=str(config))
    made.client = docker_engine.client()
    return made


@pytest.fixture(
    params=[
        pytest.param(name, marks=[getattr(pytest.mark, mark) for mark in MARKS.get(name, ())])
        for name in EXECUTORS
    ]
)
def bench(request):
    """Each executor in turn; one without special needs has no fixture of its own."""
    try:
        return request.getfixturevalue(f"{request.param}_bench")
    except pytest.FixtureLookupError:
        return request.getfixturevalue("make_bench")(request.param)
