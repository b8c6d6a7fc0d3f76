"""The services that tests start are real, start empty, and leave nothing behind."""

import io
import os
import socket
import subprocess
import tarfile
import urllib.request
from pathlib import Path

import pytest

from tests import services


def _image(engine: services.DockerEngine) -> str:
    """Make an image with a shell that can sleep, and return its id."""
    shell = Path("/bin/sh").resolve()
    files = {
        "bin/sh": shell,
        **_libraries(shell),
        "bin/sleep": Path("/bin/sleep"),
        **_libraries(Path("/bin/sleep")),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, path in files.items():
            tar.add(path.resolve(), name)
    return engine.client().api.import_image_from_data(packed.getvalue(), repository="shell")


def _libraries(program: Path) -> dict[str, Path]:
    told = subprocess.run(
        ["ldd", str(program)], check=True, capture_output=True, text=True
    ).stdout.split()
    return {word.lstrip("/"): Path(word) for word in told if word.startswith("/")}


def _leftovers(service: services.Service) -> list[object]:
    mounts = [
        line
        for line in Path("/proc/mounts").read_text().splitlines()
        if str(service.folder) in line
    ]
    return [
        *services.processes_of(str(service.folder)),
        *mounts,
        *([service.folder] if service.folder.exists() else []),
    ]


def test_an_engine_is_empty_and_keeps_to_itself(own_docker_engine):
    assert own_docker_engine.client().images.list() == [] and "nowhere" in os.environ["DOCKER_HOST"]


def test_a_container_ends_with_its_engine(own_docker_engine):
    _image(own_docker_engine)
    client = own_docker_engine.client()
    container = client.containers.run(
        "shell", ["/bin/sleep", "60"], detach=True, network_mode="none", stop_signal="SIGKILL"
    )
    assert container.status == "created" and [found.id for found in client.containers.list()] == [
        container.id
    ]
    own_docker_engine.kill()
    own_docker_engine.start()
    ended = own_docker_engine.client().containers.get(container.id).attrs["State"]
    assert (ended["Running"], ended["OOMKilled"]) == (False, False)


def test_a_container_outlives_an_engine_that_restores(live_docker_engine):
    _image(live_docker_engine)
    container = live_docker_engine.client().containers.run(
        "shell", ["/bin/sleep", "60"], detach=True, network_mode="none"
    )
    live_docker_engine.kill()
    live_docker_engine.start()
    assert live_docker_engine.client().containers.get(container.id).status == "running"


@pytest.mark.docker
@pytest.mark.parametrize("live_restore", [False, True])
def test_nothing_is_left_of_an_engine(live_restore):
    with services.DockerEngine(live_restore=live_restore) as engine:
        _image(engine)
        container = engine.client().containers.run(
            "shell", ["/bin/sleep", "60"], detach=True, network_mode="none"
        )
        assert list(services.processes_of(container.id))
    assert _leftovers(engine) == [] and list(services.processes_of(container.id)) == []


def test_a_registry_takes_an_image_and_keeps_it(docker_engine, registry):
    client = docker_engine.client()
    image = client.images.get(_image(docker_engine).strip().split('"')[3])
    image.tag(f"{registry.address}/shell", "1")
    assert "digest" in client.images.push(f"{registry.address}/shell", "1")
    client.images.remove(image.id, force=True)
    registry.stop()
    registry.start()
    assert b'"tags":["1"]' in urllib.request.urlopen(f"{registry.url}/v2/shell/tags/list").read()


def _ssh(sshd: services.SshServer, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = ["ssh", *sshd.options, "-p", str(sshd.port), f"{sshd.user}@{sshd.host}", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def test_an_ssh_server_lets_its_user_in(sshd):
    assert _ssh(sshd, "echo", "in").stdout == "in\n"


def test_an_ssh_server_with_another_host_key_is_refused(sshd):
    sshd.change_host_key()
    said = _ssh(sshd, "true")
    assert said.returncode == 255 and "REMOTE HOST IDENTIFICATION HAS CHANGED" in said.stderr


def test_an_ssh_server_forwards_a_socket(sshd, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as far:
        near = services.free_port()
        argv = [
            "ssh",
            *sshd.options,
            "-N",
            "-L",
            f"{near}:127.0.0.1:{far.getsockname()[1]}",
            "-p",
            str(sshd.port),
            f"{sshd.user}@{sshd.host}",
        ]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tunnel:
            try:
                while True:
                    try:
                        with socket.create_connection(("127.0.0.1", near), 5):
                            assert far.accept()[0].close() is None
                        break
                    except ConnectionRefusedError:
                        assert tunnel.poll() is None
            finally:
                tunnel.terminate()


def test_an_ssh_server_that_is_stopped_ends_its_sessions(sshd):
    argv = [
        "ssh",
        *sshd.options,
        "-p",
        str(sshd.port),
        f"{sshd.user}@{sshd.host}",
        "echo in; sleep 60",
    ]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as session:
        assert session.stdout.readline() == "in\n"
        sshd.stop()
        assert session.wait(50) == 255


def test_an_rtsp_server_answers_again_after_a_crash_and_leaves_nothing_behind(rtsp_server):
    def options():
        with socket.create_connection(("127.0.0.1", rtsp_server.port), 5) as connection:
            connection.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            return connection.recv(15)

    assert options() == b"RTSP/1.0 200 OK"
    rtsp_server.kill()
    rtsp_server.start()
    assert options() == b"RTSP/1.0 200 OK"
    rtsp_server.close()
    assert _leftovers(rtsp_server) == []
