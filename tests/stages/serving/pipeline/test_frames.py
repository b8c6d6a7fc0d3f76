"""Frames in shared memory: the newest one is read whole, whoever is faster."""

import time

import numpy as np
import pytest

from stages.serving.pipeline import children
from stages.serving.pipeline.frames import PAINTER, SLOTS, Reader, Ring, Shot, Writer

SIZE = (40, 50)


def publish(writer: Writer, number: int, to_answer: bool = True) -> None:
    writer.buffer(*SIZE)[:] = number % 256
    writer.publish(Shot(SIZE, number, time.time(), 0, False), to_answer)


def test_the_newest_frame_is_taken():
    ring = Ring(10_000)
    writer, reader = Writer(ring), Reader(ring, 0)
    assert reader.take() is None
    for number in range(10):
        publish(writer, number)
    frame = reader.take()
    assert (frame.frame, frame.size, int(frame.pixels[3, 4, 1])) == (9, SIZE, 9)
    assert reader.newest() == reader.pointer(frame)
    assert not frame.pixels.flags.writeable


@pytest.mark.parametrize(("ago_s", "age_s"), [(30.0, 30.0), (-3600.0, 0.0), (1e9, 0.0)])
def test_the_age_of_a_frame_survives_a_clock_that_is_set(ago_s: float, age_s: float):
    """A Raspberry Pi learns the time after its start: a frame is on its way while it jumps by years."""
    ring = Ring(SIZE[0] * SIZE[1])
    writer = Writer(ring)
    writer.buffer(*SIZE)
    writer.publish(Shot(SIZE, 1, time.time() - ago_s, 0, False), True)
    frame = Reader(ring, 0).take()
    assert frame and time.monotonic() - frame.since_s == pytest.approx(age_s, abs=15)


def test_a_frame_that_is_being_read_is_not_overwritten():
    ring = Ring(10_000)
    writer, readers = Writer(ring), [Reader(ring, at) for at in range(3)]
    taken = []
    for number, reader in enumerate(readers):
        publish(writer, number)
        taken.append(reader.take())
    for number in range(10, 100):
        publish(writer, number)
    for number, (reader, frame) in enumerate(zip(readers, taken, strict=True)):
        assert reader.is_intact(frame)
        assert (frame.pixels == number).all()


def test_an_overwritten_frame_is_noticed():
    ring = Ring(10_000)
    writer, reader = Writer(ring), Reader(ring, 0)
    publish(writer, 1)
    frame = reader.take()
    reader.release(frame)
    for number in range(2, 2 + SLOTS):
        publish(writer, number)
    assert not reader.is_intact(frame)


def test_frames_that_are_not_to_be_answered_can_be_looked_at():
    ring = Ring(10_000)
    writer, reader, painter = Writer(ring), Reader(ring, 0), Reader(ring, PAINTER)
    publish(writer, 1)
    publish(writer, 2, to_answer=False)
    assert reader.take().frame == 1
    assert painter.peek().frame == 2


def test_marks_of_a_process_that_ended_are_forgotten():
    ring = Ring(10_000)
    writer = Writer(ring)
    for number in range(20):
        publish(writer, number)
        Reader(ring, number % 2).take()
    ring.forget_readers()
    writer.buffer(*SIZE)
    used = {slot for slot in range(SLOTS) if ring.words[ring.word(slot, 0)]}
    assert len(used) >= 2
    publish(writer, 30)
    assert Reader(ring, 0).take().frame == 30


def test_a_few_slots_suffice_so_that_memory_stays_small():
    ring = Ring(1_000_000)
    writer, reader = Writer(ring), Reader(ring, 0)
    used = set()
    for number in range(300):
        publish(writer, number)
        if number % 3 == 0:
            frame = reader.take()
            used.add(frame.slot)
            reader.release(frame)
    assert max(used) <= 2


def test_dropped_frames_are_those_that_nobody_took():
    ring = Ring(10_000)
    writer, reader = Writer(ring), Reader(ring, 0)
    for number in range(5):
        publish(writer, number)
    assert ring.dropped()["newer"] == 4
    reader.take()
    assert ring.dropped()["newer"] == 4
    assert ring.is_taken()


def test_another_process_never_sees_a_torn_frame():
    ring = Ring(300 * 300)
    size = (300, 300)

    def write() -> None:
        writer = Writer(ring)
        for number in range(1, 10**9):
            writer.buffer(*size)[:] = number % 251
            writer.publish(Shot(size, number, 0.0, 0, False), True)

    pid = children.fork(write)
    reader, seen, last = Reader(ring, 0), 0, -1
    end_s = time.monotonic() + 20
    while seen < 100 and time.monotonic() < end_s:
        frame = reader.take()
        if frame is None:
            continue
        values = np.unique(frame.pixels)
        if reader.is_intact(frame):
            assert values.tolist() == [frame.frame % 251]
            assert frame.frame >= last
            last = frame.frame
            seen += 1
        reader.release(frame)
    children.Children().end(pid)
    assert seen == 100
