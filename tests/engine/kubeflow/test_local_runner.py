"""Pipelines as kfp's own local runner executes them: in containers, from images by digest out of a registry.

The runner reads the written YAML and nothing else of this project.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.images import ARCHITECTURES
from engine.target import platform_of
from tests.conftest import command_line

# kfp lets the engine remove its containers, and takes one that is gone before it asks for a success.
RUNNER = """
import sys
import docker.types
from docker.models.containers import ContainerCollection
from kfp import components, local
start = ContainerCollection.run
ContainerCollection.run = lambda self, **given: start(self, **{**given, "auto_remove": False})
file, root, data, engine = sys.argv[1:]
mounts = [docker.types.Mount(target=data, source=data, type="bind")]
runner = local.DockerRunner(network_mode="none", mounts=mounts)
local.init(runner=runner, pipeline_root=root, raise_on_error=True)
components.load_component_from_file(file)()
"""
MAKE = """
    from typing import TypedDict
    from engine import stage
    from engine.stage import In, Out
    class Made(TypedDict):
        accuracy: float
    def made(numbers: In, data: Out, folder: Out, *, n: int = 1) -> Made:
        stage.note("made")
        data.write_text(numbers.read_text() * n)
        (folder / "empty").mkdir(parents=True)
        (folder / "tool").write_text("#!/bin/sh")
        (folder / "tool").chmod(0o755)
        return {"accuracy": n / 10}
"""
GATHER = """
    import os
    from engine.stage import In, Out
    def gather(parts: In, folder: In, text: Out) -> None:
        assert (folder / "empty").is_dir() and os.access(folder / "tool", os.X_OK)
        text.write_text("".join((parts / name).read_text() for name in ("1", "2")))
"""
USECASE = """
    assets: {{numbers: {folder}/numbers}}
    stages:
      make:
        uses: mystages.made
        foreach: {{n: [1, 2]}}
        inputs: {{numbers: "asset:numbers"}}
        params: {{n: "${{each.n}}"}}
        require: {{accuracy: ">= {least}"}}
      gather:
        uses: mystages.gather
        inputs: {{parts: "make@*.data", folder: make@1.folder}}
"""


@pytest.fixture
def cluster(project, docker_engine, plain_archive, registry, monkeypatch):
    """A project with an image of its own, an engine, and a registry; return the words of its command."""
    here = platform_of(platform.machine())
    folder = project.path / "containers" / "mine"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text(f"description: x\nplatforms: [{here}]\nusecase: my_images\n")
    build = (
        f"  build_mine: {{foreach: {{arch: [{ARCHITECTURES[here]}]}}, "
        f"command: [cp, {plain_archive}, '{{outputs.archive}}'], outputs: [archive]}}\n"
    )
    project.usecase("my_images", f"params: {{base: auto}}\nstages:\n{build}")
    project.stage("made", MAKE)
    project.stage("gather", GATHER)
    (project.path / "numbers").write_text("7")
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    monkeypatch.chdir(project.path)
    for name in ("data", "data/results", "root"):
        (project.path / name).mkdir()
        (project.path / name).chmod(0o777)  # the image's user is not this one
    return ("usecase=steps", f"kubeflow.data_root={project.path}/data",
            f"kubeflow.registry={registry.address}/team")  # fmt: skip


def _write(project, words, least=0):
    text = USECASE.format(folder=project.path, least=least)
    project.usecase("steps", text)
    assert command_line(project, *words, "executor=kubeflow", "output=p.yaml") == 0
    return next(yaml.safe_load_all((project.path / "p.yaml").read_text()))


def _execute(project):
    folders = [str(project.path / name) for name in ("p.yaml", "root", "data")]
    words = [sys.executable, "-c", RUNNER, *folders, os.environ["DOCKER_HOST"]]
    return subprocess.run(words, capture_output=True, text=True, timeout=300)


def _reports(project):
    files = (project.path / "data" / "results").glob("*/report.json")
    return {one["stage"]: one for one in map(_read, files)}


def _read(path: Path):
    return json.loads(path.read_text())


def test_the_written_pipeline_gives_the_artifacts_of_a_run_on_this_machine(project, cluster):
    spec = _write(project, cluster)
    ran = _execute(project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    images = [one["container"]["image"] for one in spec["deploymentSpec"]["executors"].values()]
    assert all(f"Found image '{image}'" in ran.stdout for image in set(images))
    there = {
        stage: {name: one["digest"] for name, one in report["outputs"].items()}
        for stage, report in _reports(project).items()
    }
    assert command_line(project, *cluster, "executor=docker") == 0
    stages = project.state().stages
    assert there == {name: dict(one.outputs) for name, one in stages.items()}
    assert set(there) == {"make@1", "make@2", "gather"}


def test_a_broken_gate_stops_the_pipeline(project, cluster):
    _write(project, cluster, least=0.15)
    ran = _execute(project)
    assert ran.returncode == 1
    assert "accuracy 0.1 fails the gate (>= 0.15)" in ran.stdout
    assert "gather" not in _reports(project)
