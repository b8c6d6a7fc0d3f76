"""JPEG pictures in shared memory."""

import numpy as np
import pytest

from stages.serving.pipeline import painter, pictures
from stages.serving.pipeline.memory import shared
from stages.serving.pipeline.pictures import DRAWN, LARGEST, PLAIN, Pictures


@pytest.fixture
def memory():
    return shared(pictures.size_bytes(2))


def test_the_newest_picture_is_returned(memory):
    writer, reader = Pictures(memory, 1, DRAWN), Pictures(memory, 1, DRAWN)
    assert reader.get() is None
    for number in range(10):
        writer.put(b"jpeg %d" % number, number, 100.0 + number)
    found = reader.get()
    assert (found.jpeg, found.frame, found.time_s) == (b"jpeg 9", 9, 109.0)


def test_kinds_and_sources_are_separate(memory):
    every = [Pictures(memory, source, kind) for source in (0, 1) for kind in (PLAIN, DRAWN)]
    for number, one in enumerate(every):
        one.put(bytes([number]) * LARGEST, number, 0.0)
        one.want(number + 0.5)
    assert [one.get().jpeg[-1] for one in every] == [0, 1, 2, 3]
    assert [one.wanted_fps for one in every] == [0.5, 1.5, 2.5, 3.5]


def test_a_picture_that_would_be_too_large_has_a_lower_quality(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    full = painter.encoded(noise, 90)
    monkeypatch.setattr(pictures, "LARGEST", len(full) // 2)
    assert 0 < len(painter.encoded(noise, 90)) <= len(full) // 2
    monkeypatch.setattr(pictures, "LARGEST", 100)
    assert painter.encoded(noise, 90) == b""
