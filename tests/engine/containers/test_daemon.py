"""Connecting to this machine's engine: invalid addresses, and a damaged Docker configuration."""

import os
import socket

import pytest

from engine.containers import daemon
from engine.errors import UserError

BAD = [
    "tcp://127.0.0.1:abc",
    "tcp://127.0.0.1:99999",
    "tcp://[::1",
    "tcp://[::1]:99999",
    "ssh://x@127.0.0.1:abc",
]
ODD = [
    "unix://",
    "ssh://",
    "foo://x",
    "tcp://",
    "tcp",
    "fd://",
    "unix:///a b",
    "tcp://a..b",
    f"tcp://{'a' * 300}:1",
    "tcp://\udcff",
]


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Only the test's Docker configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    (tmp_path / ".docker").mkdir()


@pytest.mark.parametrize("host", BAD)
def test_a_bad_address_is_named_with_a_good_one(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError, match="this is not the address of a Docker engine: ") as caught:
        daemon.connect_here()
    assert caught.value.where == host and "export DOCKER_HOST=unix:///" in caught.value.fix


@pytest.mark.parametrize("host", ODD)
def test_an_address_at_which_there_can_be_no_engine_is_reported(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError, match="no Docker engine found"):
        daemon.connect_here()


def test_an_engine_that_does_not_answer_is_not_taken_for_none(monkeypatch, tmp_path):
    monkeypatch.setattr(daemon, "TIMEOUT_S", 1.0)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "d.sock"))
        deaf.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
        with pytest.raises(UserError) as caught:
            daemon.connect_here()
    assert (caught.value.what, caught.value.fix) == (
        "the Docker engine does not answer within 1 s",
        "sudo systemctl restart docker; or executor=local",
    )


@pytest.mark.parametrize("host", [*BAD, *ODD])
@pytest.mark.parametrize(
    "command", [("plan", "executor=auto"), ("plan", "executor=docker"), ("images", "list")]
)
def test_every_command_does_without_it(monkeypatch, give, host, command):
    monkeypatch.setenv("DOCKER_HOST", host)
    said = give(*command, "base=bootstrap")
    assert said.status == 0
    assert len(said.err.splitlines()) == (1 if command[0] == "images" else 0)  # sizes are unknown


@pytest.mark.parametrize("name", ["nonexistent", "../x", "\udcff"])
def test_a_context_that_does_not_exist_is_named(monkeypatch, name):
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", name)
    assert daemon.is_likely()
    with pytest.raises(UserError, match="there is no such Docker context") as caught:
        daemon.connect_here()
    assert caught.value.where == f"DOCKER_CONTEXT={name}"


@pytest.mark.parametrize("text", ["[]", "null", '{"auths": 3}', "3"])
def test_a_damaged_configuration_is_named(tmp_path, monkeypatch, text):
    (tmp_path / ".docker" / "config.json").write_text(text)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UserError, match=r"config\.json\n  this Docker configuration is damaged"):
        daemon.connect_here()


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/proc/kmsg")], ids=["pipe", "kernel"]
)
def test_a_configuration_that_never_ends_is_refused(tmp_path, monkeypatch, make):
    make(tmp_path / ".docker" / "config.json")
    monkeypatch.delenv("DOCKER_HOST")
    with pytest.raises(UserError, match=r"config\.json\n  it is "):
        daemon.connect_here()
