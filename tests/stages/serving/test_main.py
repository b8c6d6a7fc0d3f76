"""The server as a program: what it serves, how it ends, and what it says if it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stages.serving.events.waiting import wait
from tests.stages.serving.servers import classifier, ended, mistakes, pictures, running

RULES = """
rules:
  something:
    when: {label: any, min_score: 0.6}
    do: [snapshot]
    text: "{label} with {score}"
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("classifier") / "package")


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"source={pictures(tmp_path / 'pictures')}"


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return [int(one) for one in found.stdout.split()]


def is_gone(pid: int) -> Callable[[], bool]:
    return lambda: not Path(f"/proc/{pid}").exists()


def test_it_answers_shows_events_and_ends_on_sigterm(
    package: Path, source: str, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(RULES)
    words = (source, f"rules={tmp_path / 'r.yaml'}", "snapshots_mb=1")
    with running(package, tmp_path / "state", *words) as server:
        server.wait_until_open()
        assert server.lines[0] == "serving classify (classify), watching pictures"
        (event, *_) = wait(lambda: server.json("api/events")["events"], 20)
        assert event["text"] == "second with 75%"
        wait((tmp_path / "state" / "events" / event["snapshot"]).exists)
        assert server.get(f"snapshots/{event['snapshot']}")[:2] == b"\xff\xd8"
        metrics = server.get("metrics").decode()
        assert 'serving_events_total{rule="something"} 1' in metrics
        assert 'serving_memory_bytes{process="main"}' in metrics
        (child,) = server.children()
        assert server.end() == 0
        wait(is_gone(child))


def test_the_token_is_in_a_private_file_and_not_in_the_log(
    package: Path, source: str, tmp_path: Path
) -> None:
    with running(package, tmp_path / "state", source) as server:
        server.wait_until_open()
        token = server.token
        mode = stat.S_IMODE((tmp_path / "state" / "token").stat().st_mode)
        server.end()
        output = "\n".join(server.lines) + server.log
    assert mode == 0o600 and token not in output
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_nothing_is_stored_unless_asked(package: Path, source: str, tmp_path: Path) -> None:
    with running(package, tmp_path / "state", source) as server:
        server.wait_until_open()
        wait(lambda: server.json("api/updates"))
        assert server.end(signal.SIGINT) == 130
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["token"]


def test_a_signal_to_all_its_processes_is_an_ordinary_end(
    package: Path, source: str, tmp_path: Path
) -> None:
    """As systemd and a container engine send it; the main process is the last to get it."""
    with running(package, tmp_path / "state", source) as server:
        server.wait_until_open()
        wait(lambda: server.json("api/updates"))
        (supervisor,) = server.children()
        below = children(supervisor)
        for pid in (*below, supervisor):
            os.kill(pid, signal.SIGTERM)
        for pid in below:
            wait(is_gone(pid))
        assert server.end() == 0
        assert server.log == ""


def test_it_fails_if_its_pipeline_is_gone(package: Path, source: str, tmp_path: Path) -> None:
    with running(package, tmp_path / "state", source) as server:
        server.wait_until_open()
        os.kill(server.children()[0], signal.SIGKILL)
        assert server.process.wait(20) == 1


def test_a_state_folder_that_cannot_be_made_is_a_mistake(
    package: Path, source: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    status, text = ended("port=0", source, f"state={state}", package=package)
    assert status == 2
    assert mistakes(text) == [
        [
            f"state={state}",
            f"no folder can be made there: {tmp_path / 'file'} is not a folder",
            "give state= a folder that you can write",
        ]
    ]


def test_it_ends_with_the_process_that_asked_for_it(package: Path, source: str) -> None:
    """A server that another one started, which is gone: this test is not its parent."""
    status, _ = ended("port=0", source, package=package, RPI_MLOPS_PARENT="1")
    assert status == 0


def test_the_log_says_what_is_wrong_with_a_source(package: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a video")
    words = (f"source={tmp_path / 'notes.txt'}", "port=0", "seconds=2", f"state={tmp_path / 's'}")
    assert "notes: failed: notes.txt cannot be read" in ended(*words, package=package)[1]


def test_it_stops_after_its_time(package: Path, source: str, tmp_path: Path) -> None:
    assert ended("port=0", source, "seconds=0.2", f"state={tmp_path}", package=package)[0] == 0


def test_all_mistakes_are_reported_and_nothing_is_written(package: Path, tmp_path: Path) -> None:
    words = (
        "source=@/absent",
        "camera_size=1",
        "mqtt=mqtt://u:p@h",
        "rules=/absent",
        f"state={tmp_path / 'state'}",
    )
    status, text = ended(*words, package=package)
    assert status == 2
    assert [one[0] for one in mistakes(text)] == [
        "source=@/absent",
        "camera_size=1",
        "mqtt=...",
        "/absent",
    ]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("text", ["absent.mp4", "x" * 4000, "rtsp://u:canary@[", "-:0x0"])
def test_a_source_that_is_none_is_a_mistake(text: str, package: Path) -> None:
    status, message = ended(f"source={text}", "source=0", "port=0", package=package)
    ((where, what, fix),) = mistakes(message)
    assert status == 2 and where.startswith("source=") and what and "number of a camera" in fix
    assert "canary" not in message and len(message) < 500


def test_a_damaged_token_file_is_a_mistake(package: Path, source: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"\xff" * 40)
    token.chmod(0o600)
    words = ("port=0", source, f"state={tmp_path / 's'}", f"token_file={token}")
    status, text = ended(*words, package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, f"token_file={token}")
    assert "not a text" in what and "a new token is made" in fix


def test_an_unknown_accelerator_is_refused(package: Path, source: str) -> None:
    """The CPU answered instead, and only the page said why."""
    status, text = ended("accelerator=edgetpuu", "port=0", source, package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, "accelerator=edgetpuu")
    assert "not one of the choices" in what and fix == "did you mean 'edgetpu'?"


def test_a_package_is_required(tmp_path: Path) -> None:
    status, text = ended(package=tmp_path)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, str(tmp_path)) and "manifest.json" in what and "usecase=" in fix


def test_a_package_comes_first(tmp_path: Path) -> None:
    status, text = ended("port=0", package=Path("source=rtsp://me:canary@h"))
    assert status == 2 and "folder of a package" in text and "canary" not in text


def test_a_source_is_required(package: Path) -> None:
    status, text = ended("port=0", package=package)
    assert status == 2 and mistakes(text)[-1][:2] == ["source", "there is nothing to watch"]


def test_a_model_that_is_damaged_is_refused(package: Path, source: str, tmp_path: Path) -> None:
    import shutil

    damaged = shutil.copytree(package, tmp_path / "damaged")
    (damaged / "constants.json").write_text("{}")
    status, text = ended("port=0", source, package=damaged)
    assert status == 2 and "constants.json" in text and "Traceback" not in text


def test_a_port_that_is_taken_is_refused(package: Path, source: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, text = ended(f"port={port}", source, f"state={tmp_path}", package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, f"port={port}")
    assert "in use" in what and "another port=" in fix


@pytest.mark.parametrize("state", ["file", "file/below", "/proc/absent"])
def test_a_state_folder_that_cannot_be_made_is_refused(
    state: str, package: Path, source: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    status, text = ended(f"state={tmp_path / state}", "port=0", source, package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, f"state={tmp_path / state}")
    assert "folder" in what and "state=" in fix


@pytest.mark.parametrize(("given", "missing"), [("certificate", "key"), ("key", "certificate")])
def test_a_certificate_comes_with_its_key(
    given: str, missing: str, package: Path, source: str, tmp_path: Path
) -> None:
    """The server used a certificate of its own instead, without a word."""
    mine = tmp_path / "mine.pem"
    mine.touch()
    status, text = ended(f"{given}={mine}", "port=0", source, package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, f"{given}={mine}") and f"{missing}=" in what + fix


def test_an_activity_model_without_pose_model_is_refused(tmp_path: Path) -> None:
    """It restarted the inference process five times, and then served a page without answers."""
    (tmp_path / "manifest.json").write_text('{"v": 2, "task": "activity", "models": {"model": {}}}')
    status, text = ended("source=0", "port=0", package=tmp_path)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, str(tmp_path)) and "pose model" in what and "recordings=" in fix


def test_an_open_address_without_encryption_is_refused(package: Path, source: str) -> None:
    status, text = ended("host=0.0.0.0", "tls=off", source, package=package)
    ((where, what, fix),) = mistakes(text)
    assert (status, where) == (2, "host=0.0.0.0") and "needs TLS" in what and "tls=off" in fix


@pytest.mark.parametrize("words", [("captures_mb=1",), ("samples_mb=1", "captures_mb=1")])
def test_faces_are_not_stored(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"v": 2, "task": "faces"}')
    status, text = ended(*words, package=tmp_path)
    assert status == 2 and text.count("never stored") == len(words)


def test_help_lists_the_options(package: Path) -> None:
    assert ended("--help", package=package) == (0, "")


@pytest.mark.root
def test_a_full_disk_costs_pictures_and_nothing_else(
    package: Path, source: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(state)]
    subprocess.run(mount, check=True)
    try:
        (tmp_path / "r.yaml").write_text(RULES.replace("min_score: 0.6", "for: 0s"))
        words = (source, f"rules={tmp_path / 'r.yaml'}", "snapshots_mb=1")
        with running(package, state, *words) as server:
            server.wait_until_open()
            with suppress(OSError):
                (state / "filler").write_bytes(b"x" * 100_000)
            wait(lambda: b'serving_storage_failed{kind="snapshots"} 1' in server.get("metrics"), 20)
            assert server.json("api/events")["events"][0]["snapshot"] is None
            assert server.get("healthz")
            assert server.end() == 0
            assert "No space left on device; the server continues without" in server.log
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)
