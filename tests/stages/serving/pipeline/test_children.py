"""Processes that end with their parent, and how they ended."""

import os
import signal
import time
from pathlib import Path

from stages.serving.pipeline import children
from tests.stages.serving.pipeline.conftest import is_running


def ended(pid: int) -> int:
    """Wait for a process, and return its exit status."""
    end_s = time.monotonic() + 20
    while (status := children.reaped(pid)) is None and time.monotonic() < end_s:
        time.sleep(0.005)
    assert status is not None
    return status


def test_the_exit_status_says_how_it_ended(capfd):
    assert ended(children.fork(lambda: None)) == 0
    assert ended(children.fork(lambda: os._exit(3))) == 3
    assert ended(children.fork(lambda: os.kill(os.getpid(), signal.SIGKILL))) == -signal.SIGKILL
    assert ended(children.fork(lambda: 1 / 0)) == 1  # type: ignore[arg-type, return-value]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_endings_are_described():
    assert children.described(3) == "ended with exit status 3"
    assert children.described(-11) == "was killed by signal 11 (SIGSEGV)"
    assert "memory" in children.described(-9)


def test_a_process_ends_with_all_that_it_started():
    read, write = os.pipe()

    def start_another() -> None:
        if (pid := os.fork()) == 0:
            time.sleep(60)
        os.write(write, str(pid).encode())
        time.sleep(60)

    pid = children.fork(start_another)
    grandchild = int(os.read(read, 100))
    os.close(read)
    os.close(write)
    children.Children().end(pid)
    end_s = time.monotonic() + 20
    while is_running(grandchild) and time.monotonic() < end_s:
        time.sleep(0.005)
    assert not is_running(pid)
    assert not is_running(grandchild)


def test_a_process_ends_when_its_parent_is_killed():
    read, write = os.pipe()

    def parent() -> None:
        os.write(write, str(children.fork(lambda: time.sleep(60))).encode())
        time.sleep(60)

    pid = children.fork(parent)
    child = int(os.read(read, 100))
    os.close(read)
    os.close(write)
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL
    end_s = time.monotonic() + 20
    while is_running(child) and time.monotonic() < end_s:
        time.sleep(0.005)
    assert not is_running(child)


def test_one_that_lingers_is_reaped_later(monkeypatch):
    monkeypatch.setattr(children, "LINGER_S", 0.0)
    monkeypatch.setattr(children, "kill", lambda pid: None)  # it waits for a driver
    read, write = os.pipe()
    pid = children.fork(lambda: os.read(read, 1) and None)  # type: ignore[func-returns-value]
    every = children.Children()
    every.end(pid)
    every.reap()
    assert is_running(pid)
    os.write(write, b"x")
    end_s = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end_s:
        every.reap()
        time.sleep(0.005)
    assert not Path(f"/proc/{pid}").exists()
    os.close(read)
    os.close(write)
