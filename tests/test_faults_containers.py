"""What may go wrong with containers, with real engines: docs of the rows B1 to B17."""

import signal
import time

import pytest

from tests import archives
from tests.contained import SLOW, Contained


@pytest.fixture(scope="session")
def python_archive(tmp_path_factory):
    """The archive of an image with the tests' own Python."""
    return archives.with_python(tmp_path_factory.mktemp("image") / "python.tar", ())


@pytest.fixture
def contained(project, docker_engine, python_archive, monkeypatch):
    """The folder on the engine that all tests share."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    return Contained(project, docker_engine, python_archive)


def test_b1_out_of_memory(contained):
    contained.does("x = bytearray(200_000_000)", resources={"memory": "40M"})
    failure = contained.fails()
    assert failure["kind"] == "out_of_memory", failure
    print(failure)


def test_b5_kill(contained):
    contained.project.only_stage(SLOW)
    since = int(time.time())
    engine = contained.start("usecase=one")
    contained.until_at_work()
    engine.send_signal(signal.SIGKILL)
    engine.communicate()
    contained.done("usecase=one")
    assert contained.created(since) == 1
    assert not contained.containers()
