"""The driver `kubeflow`: runs of the whole command line against a server that speaks KFP's API, and a
cluster that runs the submitted pipelines as processes of this machine.
"""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import compose, planning, registration
from engine.events import RunState
from engine.job_code import find
from engine.kubeflow.images import Pushed
from tests import kubeflow_cluster
from tests.conftest import ROOT, Project
from tests.kubeflow_api import KubeflowApi
from tests.kubeflow_cluster import DIGEST, Cluster

MAKE = """
    from typing import TypedDict
    from engine import stage
    from engine.stage import Out
    class Made(TypedDict):
        accuracy: float
    def make(data: Out, folder: Out, *, n: int = 1) -> Made:
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
    def read(data: In, folder: In, text: Out) -> None:
        assert (folder / "empty").is_dir()
        text.write_text(data.read_text() + (folder / "x.txt").read_text())
"""
FAIL = """
    from engine.stage import In, Out
    def fail(data: In, out: Out) -> None:
        print("the last words")
        raise ValueError("seven is not eight")
"""
USECASE = """
    name: cluster
    params: {n: 3}
    assets: {words: null}
    stages:
      make: {uses: mystages.make2, params: {n: "${params.n}"}}
      read: {uses: mystages.read, inputs: {data: make.data, folder: make.folder}}
      last: {uses: mystages.double, inputs: {number: make.data}}
"""


@dataclass
class Bench:
    """A project whose runs go to a cluster."""

    project: Project
    api: KubeflowApi
    cluster: Cluster
    words: tuple[str, ...]

    def run(self, *words: str, status: int = 0) -> RunState:
        """Run to the end, and return the state of that run."""
        done = self.project.run(*self.words, *words)
        assert done.returncode == status, done.stdout + done.stderr
        self.said = done.stdout + done.stderr
        return self.project.state()

    def start(self, *words: str):
        """Start a run."""
        return self.project.start(*self.words, *words)


def _stage(project: Project, name: str, text: str) -> None:
    project.stage(name, text)


@pytest.fixture
def bench(project, tmp_path) -> Iterator[Bench]:
    project.stage("make2", MAKE.replace("def make(", "def make2("))
    project.stage("read", READ)
    project.stage("fail", FAIL)
    project.usecase("cluster", USECASE)
    root = tmp_path / "shared"
    root.mkdir()
    with kubeflow_cluster.registry() as registry, KubeflowApi() as api:
        words = (
            "usecase=cluster",
            "executor=kubeflow",
            f"kubeflow.host={api.url}",
            f"kubeflow.data_root={root}",
            "kubeflow.volume=shared",
            f"kubeflow.registry={registry}",
            "kubeflow.poll_s=0.05",
            "kubeflow.timeout_s=5",
        )
        cluster = Cluster(api, [project.path, ROOT])
        pushed(project, words)
        try:
            yield Bench(project, api, cluster, words)
        finally:
            cluster.close()


def pushed(project: Project, words: tuple[str, ...]) -> None:
    """Record that the images of the use case were pushed: nothing here runs in an image."""
    given = [f"outputs={project.outputs}", "stage_packages=[mystages]", "tracking=none", *words]
    dirs = ["--config-dir", str(project.path / "conf")]
    request = compose.single(registration.register([*dirs, *given]))
    planned = planning.plan(request)
    names = {str(one.job.placement.image) for one in planned.plan.jobs.values()}
    context = planned.executors.context
    code = find(context.roots, context.packages)
    records = Pushed(context.store, request.settings.kubeflow.registry, code)
    for name in names:
        short = name.rpartition("/")[2].partition(":")
        tag = kubeflow_tag(name, code.short)
        report = {
            "v": 1,
            "reference": f"{request.settings.kubeflow.registry}/{short[0]}@{DIGEST}",
            "tag": tag,
            "config": DIGEST,
            "blobs": [],
        }
        path = project.path / "report.json"
        path.write_text(json.dumps(report))
        records.record(name, path)


def kubeflow_tag(full_name: str, short: str) -> str:
    from engine.images import with_code

    return with_code(full_name, short).rpartition(":")[2]


def test_a_run_on_a_cluster_gives_what_a_run_here_gives(bench):
    state = bench.run()
    assert (state.status, set(bench.cluster.ran)) == ("finished", {"make", "read", "last"})
    here = bench.project.beside("here")
    here.run("usecase=cluster", "executor=local")
    assert bench.project.artifacts() == here.artifacts()
    assert state.metrics == here.state().metrics
    made = state.stages["make"]
    assert [point[:3] for point in made.points] == [
        ("loss", step, 1.0 / (1 + step)) for step in range(3)
    ]
    assert made.notes == ["three steps"]
    assert "making 3" in (bench.project.last / "logs" / "make.log").read_text()
