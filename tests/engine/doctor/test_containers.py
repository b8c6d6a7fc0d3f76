"""What `doctor` reports about containers: with a real engine, without one, and with a fake one."""

import os
import socket
import threading
import time

import pytest

from engine import emulation
from engine.doctor import containers

ARM64 = (
    "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\nmagic "
    "7f454c460201010000000000000000000200b700\n"
)


@pytest.fixture
def binfmt(tmp_path):
    """A kernel with a handler for arm64 only."""
    (tmp_path / "register").touch()
    (tmp_path / "qemu-aarch64").write_text(ARM64)
    return tmp_path


def test_an_engine_says_its_version_its_platform_and_its_room(docker_engine, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    version = docker_engine.client().version()["Version"]
    engine, room = containers.engine()
    assert engine.is_there and engine.what.startswith(
        f"Docker engine {version} ({docker_engine.host}), linux/"
    )
    assert room.what.endswith(f" GB free for images ({docker_engine.folder / 'data'})")


def test_without_an_engine_it_says_what_brings_one():
    (found,) = containers.engine()
    assert (found.is_there, found.what) == (False, "Docker engine (unix:///nowhere): not found")
    assert "sudo apt-get install docker.io" in found.fix


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
def test_what_only_looks_like_an_engine_is_none(tmp_path, monkeypatch, answer):
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(tmp_path / "s"))
        odd.listen()
        threading.Thread(target=_answer, args=(odd, answer), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 's'}")
        (found,) = containers.engine()
        odd.shutdown(socket.SHUT_RDWR)
    assert not found.is_there and found.what.startswith(
        (
            f"Docker engine (unix://{tmp_path / 's'}): the program at this address is not a Docker engine",
            f"Docker engine (unix://{tmp_path / 's'}): not found",
        )
    )


def test_a_rootless_engine_is_none_for_the_stages(tmp_path, monkeypatch):
    info = b'{"ServerVersion": "27", "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}'
    with socket.socket(socket.AF_UNIX) as rootless:
        rootless.bind(str(tmp_path / "s"))
        rootless.listen()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(info), info)
        threading.Thread(target=_answer, args=(rootless, answer), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 's'}")
        (found,) = containers.engine()
        rootless.shutdown(socket.SHUT_RDWR)
    assert not found.is_there and found.what.endswith("rootless, so stages could not write here")


def _answer(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection = server.accept()[0]
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: no other user can be taken")
def test_a_socket_that_this_user_may_not_open_says_how_to_be_let_in(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 's'}")
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            (found,) = containers.engine()
        finally:
            os.seteuid(0)
    assert (found.is_there, found.fix) == (False, "sudo usermod -aG docker $USER, and log in again")


@pytest.mark.parametrize(
    "where",
    [
        "tcp://127.0.0.1:x",
        "tcp://",
        "tcp://[",
        "unix://",
        f"unix:///{'long' * 50}",
        "tcp://no.such.host.invalid:1",
    ],
)
def test_an_odd_address_is_no_engine(monkeypatch, where):
    monkeypatch.setenv("DOCKER_HOST", where)
    assert [found.is_there for found in containers.engine()] == [False]


def test_an_engine_that_hangs_is_given_up(monkeypatch, deaf):
    begin = time.monotonic()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{deaf}")
    assert not containers.engine()[0].is_there and time.monotonic() - begin < 60


def test_an_engine_behind_ssh_is_not_waited_for(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://pi@raspberrypi.local")
    assert "not checked" in containers.engine()[0].what


def test_each_platform_is_native_handled_or_missing(binfmt):
    assert [
        (found.is_there, found.what) for found in containers.foreign_platforms(binfmt, "x86_64")
    ] == [
        (True, "linux/amd64 natively"),
        (True, "linux/arm64 through qemu-aarch64"),
        (False, "no handler is registered for linux/arm/v7"),
    ]


def test_a_missing_handler_comes_with_the_commands_that_register_it(binfmt):
    found = containers.foreign_platforms(binfmt, "x86_64")[2]
    assert emulation.HOW_TO_REGISTER in found.fix and emulation.BY_CONTAINER in found.fix


def test_a_raspberry_pi_needs_no_handler_for_its_own_platform(binfmt):
    found = {one.what for one in containers.foreign_platforms(binfmt, "aarch64")}
    assert "linux/arm64 natively" in found and "no handler is registered for linux/amd64" in found


@pytest.mark.ssh
def test_the_ssh_client_says_its_version():
    assert containers.ssh()[0].what.startswith("ssh: OpenSSH")


def test_without_ssh_it_says_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert containers.ssh()[0].fix == "sudo apt-get install openssh-client"
