"""A project whose runs go to a cluster on this machine: `kubeflow_api` and `kubeflow_cluster`."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import compose, planning, registration
from engine.events import RunState
from engine.images import with_code
from engine.job_code import find
from engine.kubeflow import client as clients
from engine.kubeflow import submission
from engine.kubeflow.images import Pushed
from engine.vocabulary import Event
from tests import kubeflow_cluster
from tests.conftest import ROOT, Project, command_line
from tests.kubeflow_api import KubeflowApi
from tests.kubeflow_cluster import DIGEST, Cluster

MAKE = """
    from typing import TypedDict
    from engine import stage
    from engine.stage import Out
    class Made(TypedDict):
        accuracy: float
    def made(data: Out, folder: Out, *, n: int = 1) -> Made:
        print("making", n, flush=True)
        for step in range(3):
            stage.metric("loss", 1.0 / (1 + step), step)
        stage.note("three steps")
        data.write_text(str(n))
        (folder / "empty").mkdir(parents=True)
        (folder / "x.txt").write_text("x" * n)
        return {"accuracy": n / 10}
"""
READ = """
    from engine.stage import In, Out
    def read(data: In, folder: In, text: Out, *, more: str = "") -> None:
        assert (folder / "empty").is_dir()
        text.write_text(data.read_text() + (folder / "x.txt").read_text() + more)
"""
FAIL = """
    from engine.stage import In, Out
    def fail(data: In, out: Out) -> None:
        print("the last words")
        raise ValueError("seven is not eight")
"""
USECASE = """
    name: cluster
    params: {n: 3, more: ""}
    stages:
      make: {uses: mystages.made, params: {n: "${params.n}"}}
      read: {uses: mystages.read, inputs: {data: make.data, folder: make.folder}, params: {more: "${params.more}"}}
      last: {uses: mystages.double, inputs: {number: make.data}}
"""

GATED = """
    name: cluster
    stages:
      make: {uses: mystages.made, require: {accuracy: ">= 0.5"}}
      last: {uses: mystages.double, inputs: {number: make.data}}
"""
FAILING = """
    name: cluster
    stages:
      make: {uses: mystages.made}
      fail: {uses: mystages.fail, inputs: {data: make.data}}
      after: {uses: mystages.double, inputs: {number: fail.out}}
      last: {uses: mystages.double, inputs: {number: make.data}}
"""


@dataclass
class Bench:
    """A project, the server and the cluster."""

    project: Project
    api: KubeflowApi
    cluster: Cluster
    words: tuple[str, ...]

    def run(self, *words: str, status: int = 0) -> RunState:
        """Run in this process, check the exit status, and return the state of the run."""
        assert command_line(self.project, *self.words, *words) == status
        return self.project.state()

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a run as a process."""
        return self.project.start(*self.words, *words)

    def use(self, text: str, **stages: str) -> None:
        """Write the use case `cluster`, and stages that it uses."""
        for name, source in stages.items():
            self.project.stage(name, source)
        self.project.usecase("cluster", text)
        push(self.project, self.words)

    def in_outputs(self, name: str) -> "Bench":
        """The same with another outputs folder."""
        other = self.project.beside(name)
        push(other, self.words)
        return Bench(other, self.api, self.cluster, self.words)

    @property
    def created(self) -> int:
        """How many runs the server has."""
        return len(self.api.runs)

    @property
    def run_id(self) -> str:
        """The id of the newest run on the server."""
        return list(self.api.runs)[-1]


@contextmanager
def impatient(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Yield the same on a shared folder, with short waits, no token, and the project as working folder."""
    monkeypatch.setattr(clients, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(submission, "BUSY_S", 0.01)
    monkeypatch.delenv("KUBEFLOW_TOKEN", raising=False)
    monkeypatch.chdir(project.path)
    with bench(project, shared(tmp_path)) as made:
        yield made


@contextmanager
def bench(project: Project, root: str) -> Iterator[Bench]:
    """Yield a project with three stages; root: kubeflow.data_root."""
    for name, text in (("made", MAKE), ("read", READ), ("fail", FAIL)):
        project.stage(name, text)
    project.usecase("cluster", USECASE)
    with kubeflow_cluster.registry() as registry, KubeflowApi() as api:
        words = (
            "usecase=cluster",
            "executor=kubeflow",
            f"kubeflow.host={api.url}",
            f"kubeflow.data_root={root}",
            *(() if "://" in root else ("kubeflow.volume=shared",)),
            f"kubeflow.registry={registry}",
            "kubeflow.poll_s=0.03",
            "kubeflow.timeout_s=5",
        )
        cluster = Cluster(api, [project.path, ROOT])
        push(project, words)
        try:
            yield Bench(project, api, cluster, words)
        finally:
            cluster.close()


def push(project: Project, words: tuple[str, ...]) -> None:
    """Record that the images of the use case were pushed: nothing here runs in an image."""
    given = [f"outputs={project.outputs}", "stage_packages=[mystages]", "tracking=none", *words]
    dirs = ["--config-dir", str(project.path / "conf")]
    request = compose.single(registration.register([*dirs, *given]))
    planned = planning.plan(request)
    context, registry = planned.executors.context, request.settings.kubeflow.registry
    code = find(context.roots, context.packages)
    records = Pushed(context.store, registry, code)
    for name in {str(one.job.placement.image) for one in planned.plan.jobs.values()}:
        short, _, tag = with_code(name, code.short).rpartition("/")[2].partition(":")
        report = {
            "v": 1,
            "reference": f"{registry}/{short}@{DIGEST}",
            "tag": tag,
            "config": DIGEST,
            "blobs": [],
        }
        file = project.path / "report.json"
        file.write_text(json.dumps(report))
        records.record(name, file)


def shared(folder: Path) -> str:
    """Make a folder that this machine and the cluster share, and return it as kubeflow.data_root."""
    (folder / "shared").mkdir()
    return str(folder / "shared")


def states(state: RunState) -> dict[str, str]:
    """Return the state of each stage."""
    return {name: stage.state for name, stage in state.stages.items()}


def failures(project: Project) -> list[Event]:
    """Return the failed attempts of the newest run."""
    return [event for event in project.events() if event["event"] == "job_failed"]
