"""A reader keeps a source's state: it opens it again after interruptions, and notices frozen frames."""

import dataclasses
import time

import numpy as np
import pytest

from engine.stage import StageError
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.reader import Reader

QUICK = ReadingOptions(frozen_s=0, silent_s=0.15, retry_s=0.02, retry_most_s=0.1, wait_s=0.01)
FRAME = np.random.default_rng(0).integers(17, 255, (8, 12, 3), np.uint8)


class Scripted:
    """A source that does one thing after another: a frame (an array), None (no frame) or an exception.

    The last one is repeated. refused: what `open` raises, one after another.
    """

    type, label, fps, time_s, clip, is_still = "scripted", "x", 0.0, 0.0, 1, False

    def __init__(self, *script: object, refused: "list[Exception] | None" = None, is_live=True):
        self.script, self.refused, self.is_live = list(script), refused or [], is_live
        self.dropped = {"newer": 0, "damaged": 0, "foreign": 0}
        self.opened_s: list[float] = []
        self.closed = 0

    def open(self):
        self.opened_s.append(time.monotonic())
        if self.refused:
            raise self.refused.pop(0)

    def read(self, buffer):
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if step is None:
            time.sleep(QUICK.wait_s)
            return None
        np.copyto(buffer(*step.shape[:2]), step)
        self.time_s += 1
        return step.shape[:2]

    def close(self):
        self.closed += 1


def buffer(height, width):
    return np.empty((height, width, 3), np.uint8)


def changing(number):
    """Return frames that differ."""
    return [np.full_like(FRAME, 20 + at) for at in range(number)]


def read_until(reader, found, within_s=5.0):
    """Read until the state is as `found` says, and return the state and the frames."""
    end, frames = time.monotonic() + within_s, []
    while time.monotonic() < end:
        frames.append(reader.read(buffer))
        if found(reader.state()):
            return reader.state(), [frame for frame in frames if frame]
    raise AssertionError(reader.state())


def test_a_source_is_starting_until_its_first_frame():
    reader = Reader("door", Scripted(None, FRAME), QUICK)
    assert reader.state()["status"] == "starting"
    assert reader.read(buffer) is None and reader.state()["status"] == "starting"
    taken = reader.read(buffer)
    assert (taken.height, taken.width, taken.frame, taken.time_s) == (8, 12, 0, 1.0)
    state = reader.state(answered=1, fps=9.5, dropped={"newer": 2, "motion": 3})
    assert state == {
        "kind": "source",
        "source": "door",
        "type": "scripted",
        "status": "live",
        "why": "",
        "size": (8, 12),
        "fps": 9.5,
        "captured": 1,
        "answered": 1,
        "dropped": {"newer": 2, "damaged": 0, "foreign": 0, "motion": 3},
        "reopened": 0,
        "resized": 0,
    }


def test_frames_are_numbered_with_those_that_were_dropped():
    source = Scripted(FRAME)
    reader = Reader("x", source, QUICK)
    first = reader.read(buffer)
    source.dropped.update(newer=3, damaged=1, foreign=7)
    assert (first.frame, reader.read(buffer).frame) == (0, 5)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_lost_source_is_opened_again_and_counted(is_live):
    source = Scripted(
        FRAME, NoSignal("cable of rtsp://u:geheim@cam/ pulled"), FRAME, is_live=is_live
    )
    reader = Reader("x", source, QUICK)
    state, _ = read_until(reader, lambda state: state["status"] == "no_signal")
    assert state["why"] == "cable of rtsp://***@cam/ pulled" and source.closed == 1
    state, _ = read_until(reader, lambda state: state["status"] == "live")
    assert (state["reopened"], len(source.opened_s), state["captured"]) == (1, 2, 2)


def test_the_waits_before_opening_grow_to_a_limit():
    source = Scripted(FRAME, refused=[NoSignal("nobody answers")] * 6)
    reader = Reader("x", source, QUICK)
    state, _ = read_until(reader, lambda state: state["status"] == "live")
    gaps = np.diff(source.opened_s)
    assert all(
        gap >= least for gap, least in zip(gaps, [0.02, 0.04, 0.08, 0.1, 0.1, 0.1], strict=True)
    )
    assert state["reopened"] == 0  # it was never lost


def test_silence_is_said_at_once_and_ends_in_opening_again():
    source = Scripted(FRAME, None)
    reader = Reader("x", source, QUICK)
    state, _ = read_until(reader, lambda state: state["status"] == "no_signal")
    assert state["why"].startswith("no frame for") and source.closed == 0
    read_until(reader, lambda _: len(source.opened_s) == 2)


def test_a_file_may_be_silent():
    source = Scripted(FRAME, *[None] * 40, FRAME, is_live=False)
    reader = Reader("x", source, QUICK)
    state, _ = read_until(reader, lambda state: state["captured"] == 2)
    assert (state["status"], len(source.opened_s)) == ("live", 1)


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (Ended(), "ended", ""),
        (StageError("nothing decodes this"), "failed", "nothing decodes this"),
    ],
)
def test_an_end_is_final(error, status, why):
    source = Scripted(FRAME, error)
    reader = Reader("x", source, QUICK)
    state, _ = read_until(reader, lambda state: state["status"] == status)
    assert state["why"] == why and source.closed == 1
    assert reader.read(buffer) is None and len(source.opened_s) == 1


@pytest.mark.parametrize("error", [OSError(2, "No such file"), MemoryError("much"), KeyError("x")])
def test_whatever_else_a_source_raises_is_an_interruption(error):
    reader = Reader("x", Scripted(FRAME, error, FRAME), QUICK)
    state, _ = read_until(reader, lambda state: state["status"] == "no_signal")
    assert state["why"].startswith(f"{type(error).__name__}: ")
    state, _ = read_until(reader, lambda state: state["status"] == "live")
    assert state["reopened"] == 1


def test_a_source_that_can_never_be_opened_has_failed():
    reader = Reader("x", Scripted(FRAME, refused=[StageError("install OpenCV")]), QUICK)
    state, frames = read_until(reader, lambda state: state["status"] == "failed")
    assert (state["why"], frames) == ("install OpenCV", [])


def frozen(frozen_s=0.05):
    return dataclasses.replace(QUICK, frozen_s=frozen_s)


def test_a_frozen_source_is_said_to_be_and_opened_again():
    source = Scripted(*changing(3), FRAME)
    reader = Reader("x", source, frozen())
    state, _ = read_until(reader, lambda state: state["status"] == "frozen")
    assert state["why"].startswith("the picture has not changed for")
    read_until(reader, lambda _: len(source.opened_s) == 3)
    gaps = np.diff(source.opened_s)
    assert gaps[1] >= 0.1  # twice as long as the first time: it may be a still scene
    assert reader.state()["status"] == "frozen"
    source.script = [FRAME + 1]
    state, _ = read_until(reader, lambda state: state["status"] == "live")
    assert state["reopened"] == 2


def test_frames_of_a_frozen_source_go_on():
    reader = Reader("x", Scripted(FRAME), frozen())
    read_until(reader, lambda state: state["status"] == "frozen")
    assert any(reader.read(buffer) for _ in range(20))


def test_a_black_picture_is_named():
    reader = Reader("x", Scripted(np.zeros_like(FRAME)), frozen())
    state, _ = read_until(reader, lambda state: state["status"] == "frozen")
    assert state["why"].startswith("the picture is black for")


@pytest.mark.parametrize(
    ("is_live", "frozen_s"), [(False, 0.01), (True, 0)], ids=["a file", "turned off"]
)
def test_equal_frames_may_be_right(is_live, frozen_s):
    reader = Reader("x", Scripted(FRAME, is_live=is_live), frozen(frozen_s))
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        assert reader.read(buffer) and reader.state()["status"] == "live"


def test_a_change_of_size_is_counted_and_begins_a_clip():
    reader = Reader("x", Scripted(FRAME, FRAME, FRAME[:4], FRAME), QUICK)
    taken = [reader.read(buffer) for _ in range(4)]
    assert [frame.clip for frame in taken] == [1, 1, 2, 3]
    assert (reader.state()["resized"], reader.state()["size"]) == (2, (8, 12))
