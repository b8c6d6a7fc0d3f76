"""The chain after one run of it."""

import shutil

import pytest

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
