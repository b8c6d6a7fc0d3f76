"""A thread keeps the newest frame of a live source, or each frame until it is taken."""

import threading
import time

import numpy as np
import pytest

from stages.media.unreadable import Unreadable
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.reading.newest import Newest
from stages.serving.reading.pixels import Rgb


def numbered(at):
    return Rgb(np.full((1, 1, 3), at, np.uint8))


def number(arrived):
    return int(arrived.decoded.picture()[0, 0, 0])


@pytest.fixture
def started():
    """Return a function that starts one with frames from 0 and an end; each is closed."""
    made = []

    def start(frames, end=None, keeps_all=False, done=None):
        def generate(stop):
            for at in range(frames):
                yield numbered(at)
            if done is not None:
                done.set()
            if end is not None:
                raise end
            stop.event.wait(20)

        made.append(Newest(generate, keeps_all))
        return made[-1]

    yield start
    assert all(one.close() for one in made)


def test_only_the_newest_frame_is_kept_and_the_others_are_counted(started):
    done = threading.Event()
    newest = started(5, done=done)
    assert done.wait(10)
    assert (number(newest.take(1)), newest.replaced, newest.take(0)) == (4, 4, None)


def test_every_frame_can_be_kept(started):
    newest = started(20, Ended(), keeps_all=True)
    assert [number(newest.take(5)) for _ in range(20)] == list(range(20))
    with pytest.raises(Ended):
        newest.take(5)
    assert newest.replaced == 0


def test_the_last_frame_precedes_the_end(started):
    done = threading.Event()
    newest = started(3, NoSignal("gone"), done=done)
    assert done.wait(10)
    assert number(newest.take(5)) == 2
    for _ in range(2):
        with pytest.raises(NoSignal, match="gone"):
            newest.take(5)


@pytest.mark.parametrize(
    "error", [Unreadable("bad rtsp://u:geheim@cam"), MemoryError("much"), OSError(5, "x")]
)
def test_whatever_a_decoder_raises_is_no_signal_without_secrets(started, error):
    newest = started(0, error)
    with pytest.raises(NoSignal) as caught:
        newest.take(5)
    assert "geheim" not in str(caught.value)


def test_a_frame_is_stamped_when_it_arrives_and_not_when_it_is_taken(started):
    done = threading.Event()
    before = time.time()
    newest = started(1, done=done)
    assert done.wait(10)
    time.sleep(0.05)
    now = time.time()
    assert before <= newest.take(5).time_s <= now - 0.04


def test_a_thread_that_does_not_end_is_reported(monkeypatch):
    monkeypatch.setattr("stages.serving.reading.newest._JOIN_S", 0.05)
    hang, released = threading.Event(), []

    def generate(stop):
        try:
            hang.wait(20)
            yield numbered(0)
        finally:
            released.append(True)

    newest = Newest(generate)
    assert newest.close() is False
    hang.set()
    assert newest.close() is True and released == [True]
