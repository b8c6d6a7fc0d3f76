"""The chain after one run of it; addresses where nobody answers."""

import shutil
import socket

import pytest

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
