"""Requests of runs, and the lock of who serves them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.mlflow.backend import Backend, resolve
from engine.mlflow.queue import Queue, RunRequest


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, "key")


def request(queue: Queue, outputs: Path, name: str, **fields: Any) -> RunRequest:
    made = RunRequest(outputs / "demo" / "rpi4" / name, None, **fields)
    queue.put(made)
    return made


def test_requests_are_served_oldest_run_first(queue: Queue, tmp_path: Path) -> None:
    second, first = request(queue, tmp_path, "r2"), request(queue, tmp_path, "r1")
    assert queue.requests() == [first, second]


def test_a_later_request_of_a_run_replaces_the_earlier(queue: Queue, tmp_path: Path) -> None:
    request(queue, tmp_path, "r1")
    complete = request(queue, tmp_path, "r1", is_complete=True)
    assert queue.requests() == [complete]


def test_a_request_that_is_removed_is_gone(queue: Queue, tmp_path: Path) -> None:
    made = request(queue, tmp_path, "r1")
    queue.remove(made)
    assert queue.requests() == [] and not queue.has(made.run_dir)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"run": 1, "engine": null, "is_complete": true}']
)
def test_what_is_no_request_is_passed_over_and_removed(
    queue: Queue, tmp_path: Path, text: str
) -> None:
    whole = request(queue, tmp_path, "r1")
    (queue.folder / "r2.json").write_text(text)
    assert queue.requests() == [whole] and not (queue.folder / "r2.json").exists()


ODD = {
    "a folder": lambda path: path.mkdir(),
    "a FIFO": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "another run": lambda path: path.write_text(
        '{"run": "demo/rpi4/r1", "engine": null, "is_complete": true}'
    ),
    "outside": lambda path: path.write_text(
        '{"run": "/tmp/r2", "engine": null, "is_complete": true}'
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_file_does_not_keep_a_run_from_being_served(
    queue: Queue, tmp_path: Path, odd: Callable[[Path], Any]
) -> None:
    whole = request(queue, tmp_path, "r1")
    odd(queue.folder / "r2.json")
    assert queue.requests() == [whole] and not os.path.lexists(queue.folder / "r2.json")


def test_a_lock_that_is_no_file_is_refused(queue: Queue) -> None:
    queue.folder.mkdir(parents=True)
    os.mkfifo(queue.folder / "lock")
    with pytest.raises(OSError, match="lock"):
        queue.has_sender()


def test_a_sender_is_seen_while_it_holds_the_lock(queue: Queue) -> None:
    assert not queue.has_sender()
    with queue.sender_lock() as is_ours:
        assert is_ours and queue.has_sender()
    assert not queue.has_sender()


def test_there_is_one_sender_at_a_time(queue: Queue) -> None:
    with queue.sender_lock(), queue.sender_lock(wait_s=0) as is_ours:
        assert not is_ours


def test_a_moved_outputs_folder_takes_its_requests_along(queue: Queue, tmp_path: Path) -> None:
    request(queue, tmp_path, "r1")
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert Queue(moved, "key").requests()[0].run_dir == moved / "demo" / "rpi4" / "r1"


def backend(outputs: Path, **settings: Any) -> Backend:
    return resolve(outputs, settings)


@pytest.mark.parametrize(
    "other",
    [
        {"uri": "http://ann:two@host"},
        {"uri": "http://bob:one@host"},
        {"uri": "http://ann:one@host", "experiment": "x"},
        {"uri": "http://ann:one@host", "artifact_max_bytes": 1},
    ],
)
def test_runs_with_other_settings_have_another_sender(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    uri = "http://ann:one@host"
    key = backend(tmp_path, uri=uri).sender_key()
    assert key == backend(tmp_path, uri=uri).sender_key()
    assert key != backend(tmp_path, **other).sender_key()


def test_credentials_in_the_environment_have_a_sender_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set()
    for token in ("one", "two"):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
        keys.add(backend(tmp_path, uri="http://host").sender_key())
    assert len(keys) == 2


def test_names_of_certificate_files_are_no_secrets_which_would_take_long_to_hide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("hashlib.scrypt")
    keys = set()
    for path in ("/etc/one.pem", "/etc/two.pem"):
        monkeypatch.setattr(os, "environ", {"REQUESTS_CA_BUNDLE": path})
        keys.add(backend(tmp_path).sender_key())
    assert len(keys) == 2
    monkeypatch.setattr(os, "environ", {"HTTPS_PROXY": "http://ann:secret@host"})
    with pytest.raises(AttributeError, match="scrypt"):
        backend(tmp_path).sender_key()
