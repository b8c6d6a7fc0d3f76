"""What the log says about sources and workers."""

from __future__ import annotations

from typing import Any

from stages.serving.events.changes import Changes
from tests.stages.serving.fakes import source_state, update, worker_state


class Log:
    """The lines of a `Changes`, and its clock."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_s = 0.0
        self.changes = Changes(self.lines.append, lambda: self.now_s, quiet_s=10)

    def see(self, *messages: Any) -> list[str]:
        """Return the lines about these messages."""
        before = len(self.lines)
        for one in messages:
            self.changes.see(one)
        return self.lines[before:]


def test_what_starts_well_is_not_reported() -> None:
    log, ready = Log(), worker_state(status="ready", why="")
    messages = [source_state(status="starting"), source_state(), ready, update()]
    assert log.see(*messages, *messages) == []


def test_a_source_that_is_never_there_is_reported_once_with_the_reason() -> None:
    gone = source_state(status="no_signal", why="there is no /dev/video0")
    assert Log().see(gone, gone, gone) == ["door: no_signal: there is no /dev/video0"]


def test_a_return_is_reported() -> None:
    log = Log()
    log.see(source_state(), source_state(status="frozen"))
    log.now_s = 11
    assert log.see(source_state(), source_state()) == ["door: live"]


def test_the_cpu_that_takes_over_is_reported() -> None:
    told = worker_state(status="fallback", wanted="edgetpu", why="no Edge TPU is usable")
    assert Log().see(told) == ["model on edgetpu: fallback: no Edge TPU is usable"]


def test_a_worker_that_is_given_up_is_reported_at_once() -> None:
    again, given_up = (worker_state(status=one, why="killed") for one in ("restarting", "failed"))
    assert Log().see(again, given_up, given_up) == [
        "model on edgetpu: restarting: killed",
        "model on edgetpu: failed: killed",
    ]


def test_a_source_that_comes_and_goes_does_not_fill_the_log() -> None:
    log = Log()
    log.see(source_state())
    for _ in range(100):  # within 10 s
        log.now_s += 0.1
        log.see(source_state(status="no_signal"), source_state())
    assert len(log.lines) <= 2


def test_an_ordinary_end_is_not_reported() -> None:
    lines: list[str] = []
    changes = Changes(lines.append, is_stopping=lambda: True)
    changes.see(worker_state(status="failed", why="the pipeline has ended"))
    assert lines == []


def test_what_a_camera_sends_cannot_control_the_terminal() -> None:
    assert Log().see(source_state(status="failed", why="\x1b[2J\nfine")) == [
        "door: failed: \\x1b[2J\\nfine"
    ]
