"""Mistakes about containers and devices, and about connecting to them."""

import os
import sys

import pytest

from engine import compose, images, registration, target
from engine.containers import daemon, tunnel
from engine.containers.tunnel import Tunnel
from engine.context import ExecutorContext
from engine.drive import build_images
from engine.errors import UserError
from engine.executors import device


def _lines(mistake: UserError) -> list[str]:
    return [mistake.where, mistake.what, mistake.fix]


def test_an_image_for_no_platform(tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "image.yaml").write_text("description: x\nplatforms: [linux/mips]\n")
    with pytest.raises(UserError) as caught:
        images.read(tmp_path, {}, "bootstrap")
    assert _lines(caught.value) == [
        f"{tmp_path}/odd/image.yaml: platforms",
        "'linux/mips' is not a platform",
        "write linux/amd64, linux/arm64 or linux/arm/v7",
    ]


def test_images_that_cannot_be_built(project, give, capfd):
    folder = project.path / "containers" / "mine"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text("description: x\nplatforms: [linux/amd64]\n")
    project.usecase("chain", "stages: {a: {uses: mystages.make, image: mine}}")
    request = compose.single(
        registration.register(
            [
                "--config-dir",
                str(project.path / "conf"),
                "usecase=chain",
                f"outputs={project.outputs}",
                "base=bootstrap",
            ]
        )
    )
    [mine] = list(images.read(project.path / "containers", {}, "bootstrap"))
    with pytest.raises(UserError) as caught:
        build_images(request, [mine], lambda file, done, total: None)
    assert _lines(caught.value) == [
        "usecase=containers",
        "the images could not be built: build_mine@amd64",
        "see its output above; or executor=local",
    ]
    assert "there is no stage 'build_mine@amd64'" in capfd.readouterr().err


@pytest.fixture
def way(tmp_path, monkeypatch):
    """A connection to a device through the test's own program instead of ssh."""
    ways: list[Tunnel] = []

    def through(program: str) -> Tunnel:
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        ways.append(Tunnel("ssh://pi@raspberry", "target=mine: device", None))
        return ways[-1]

    yield through
    for one in ways:
        one.close()


def test_a_device_that_never_forwards(way, monkeypatch):
    monkeypatch.setattr(tunnel, "OPEN_S", 1.0)
    with pytest.raises(UserError) as caught:
        way("exec cat >/dev/null").connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "it does not answer within 1 s",
        "try: ssh pi@raspberry",
    ]


# an ssh whose socket takes connections, and answers none
DEAF = """exec {python} -c '
import socket, sys
path = sys.argv[sys.argv.index("-L") + 1].split(":")[0]
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path)
    server.listen()
    sys.stdin.read()
' "$@"
"""


def test_a_device_whose_docker_engine_does_not_answer(way, monkeypatch):
    monkeypatch.setattr(daemon, "TIMEOUT_S", 1.0)
    with pytest.raises(UserError) as caught:
        way(DEAF.format(python=sys.executable)).connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "the Docker engine does not answer within 1 s",
        "try: ssh pi@raspberry docker version",
    ]


def test_an_ssh_that_ends_without_a_word(way):
    with pytest.raises(UserError) as caught:
        way("exit 9").connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "ssh ended with status 9",
        "try: ssh pi@raspberry",
    ]


def test_a_closed_way_is_not_opened_again(way):
    closed = way("exit 9")
    closed.close()
    with pytest.raises(UserError) as caught:
        closed.connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "the connection to it is closed",
        "repeat the command",
    ]


def test_a_target_without_a_device(tmp_path):
    aim = target.Target(name="mine", platform="linux/arm64")
    with pytest.raises(UserError) as caught:
        device.Executor(ExecutorContext(aim, (tmp_path,), (), tuple, tmp_path)).missing([])
    assert _lines(caught.value) == [
        "target=mine: device",
        "this target has no device",
        "write device: ssh://user@host",
    ]
