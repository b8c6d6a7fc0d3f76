"""Where stages run on a cluster: the image and fingerprint of a container on this machine."""

import platform

import pytest

from engine import compose, planning, registration
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError
from engine.executors import kubeflow
from engine.images import Image
from engine.kubeflow.images import place
from engine.placement import ARM64_NODE, EMULATED
from engine.settings import Kubeflow
from engine.spec import StageSpec
from engine.target import Target

AMD64, ARM64, ARM32 = "linux/amd64", "linux/arm64", "linux/arm/v7"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="build stages run on amd64")


@pytest.fixture
def executor(tmp_path, monkeypatch):
    """Make the executor of a target's platform; no Docker engine runs here."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    images = [
        Image("small", one, f"{name}-000000000000", frozenset(), False, "containers")
        for one, name in ((AMD64, "amd64"), (ARM64, "arm64"), (ARM32, "armv7"))
    ]

    def make(target=ARM64, **settings):
        one = Target(name="t", platform=target, runtime="litert")
        chosen = Kubeflow(registry="localhost:5000/p", **settings)
        context = ExecutorContext(one, (), (), lambda: images, tmp_path, kubeflow=chosen)
        return kubeflow.Executor(context)

    return make


def _spec(**keys) -> StageSpec:
    return StageSpec.model_validate({"command": ["true"], "outputs": ["x"], **keys})


NOTHING = Contract(label="true")


@pytest.mark.parametrize(
    ("target", "nodes", "label"),
    [
        (AMD64, False, "x86_64"),
        (ARM64, False, EMULATED),
        (ARM32, False, EMULATED),
        (ARM64, True, ARM64_NODE),
        (ARM32, True, ARM64_NODE),
    ],
)
def test_a_target_stage_says_where_it_is_measured(executor, target, nodes, label):
    placed = executor(target, arm64_nodes=nodes).place(_spec(runs_on="target"), NOTHING)
    assert (placed.platform, placed.measured_on) == (target, label)
    assert placed.emulated == (label == EMULATED)


def test_a_build_stage_runs_on_the_platform_of_this_machine(executor):
    placed = executor(arm64_nodes=True).place(_spec(), NOTHING)
    assert (placed.platform, placed.emulated, placed.measured_on) == (AMD64, False, "x86_64")


def test_results_are_shared_with_this_machines_docker_engine(tmp_path, monkeypatch):
    """The same fingerprints, so that neither runs what the other has done."""

    def fingerprints(name):
        words = ["usecase=pose_activity", "target=rpi4", f"executor={name}", "tracking=none"]
        settings = [f"outputs={tmp_path}", "kubeflow.registry=localhost:5000/p"]
        made = planning.plan(compose.single(registration.register([*words, *settings])))
        return {
            stage: (one.job.placement, one.job.parts({})) for stage, one in made.plan.jobs.items()
        }

    from engine.executors import docker

    monkeypatch.setattr(docker.daemon, "connect_here", lambda: _Engine())
    assert fingerprints("kubeflow") == fingerprints("docker")


class _Engine:
    """Has no image; nothing else is asked of it while planning."""

    class images:
        @staticmethod
        def get(name):
            from docker.errors import ImageNotFound

            raise ImageNotFound(name)

    def ping(self):
        return True


def test_a_project_that_only_a_process_can_run_is_refused(executor):
    only = Contract(label="x", only_local="it makes an environment of its own")
    with pytest.raises(UserError, match="an environment of its own") as found:
        executor().place(_spec(), only)
    assert "executor=auto" in found.value.fix


def test_an_image_that_nothing_here_builds_is_refused(executor, monkeypatch):
    foreign = Image("", AMD64, "", frozenset(), False, "", "python:3.11", "sha256:1")
    monkeypatch.setattr(kubeflow.selection, "choose", lambda *_: foreign)
    with pytest.raises(UserError, match=r"python:3\.11") as found:
        executor().place(_spec(), NOTHING)
    assert (found.value.where, "containers/" in found.value.fix) == ("image", True)


def test_an_optional_image_is_not_looked_for_without_an_engine(executor):
    with pytest.raises(UserError, match="no Docker engine found"):
        kubeflow._reach()


def test_images_are_pushed_not_loaded(executor):
    assert executor().pushes_images
    assert str(place("localhost:5000/p")) == "localhost:5000/p"
