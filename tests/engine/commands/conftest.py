"""The chain after one run of it; addresses where nobody answers."""

import platform
import shutil
import socket

import pytest

from engine.images import ARCHITECTURES, REPOSITORY
from engine.target import platform_of
from tests import services
from tests.conftest import Project


@pytest.fixture
def ran(project, give, chain_outputs):
    """The project after one run of its chain, copied from one that was really run."""
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
    """An address on loopback that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def free_port():
    """A port on loopback that nobody listens on."""
    return services.free_port()


@pytest.fixture
def with_own_image(project, docker_engine, plain_archive, monkeypatch):
    """The project with a Docker engine, and with an image of its own that a use case of its own builds at
    once.
    """
    here = platform_of(platform.machine())
    (project.path / "containers" / "mine").mkdir(parents=True)
    (project.path / "containers" / "mine" / "image.yaml").write_text(
        f"description: x\nplatforms: [{here}]\nusecase: my_images\n"
    )
    build = (
        f"  build_mine_{ARCHITECTURES[here]}: {{command: [cp, {plain_archive}, "
        f"'{{outputs.archive}}'], outputs: [archive]}}\n"
    )
    project.usecase("my_images", f"params: {{base: auto}}\nstages:\n{build}")
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    yield project
    client = docker_engine.client()
    for tag in [
        tag for image in client.images.list() for tag in image.tags if tag.startswith(f"{REPOSITORY}/mine:")
    ]:
        client.images.remove(tag, force=True)
