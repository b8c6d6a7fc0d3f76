"""A camera or stream that is read for a limited time, or until the process is asked to end."""

import os
import signal

import numpy as np
import pytest

from stages.edge import _items, _live
from tests.streams import HttpServer

pytest.importorskip("av", reason="PyAV is not installed")
PICTURES = [np.zeros((48, 64, 3), np.uint8)] * 20


def test_it_ends_with_the_stream() -> None:
    with HttpServer(pictures=PICTURES, rate=100) as server:
        clip = _live.clip(server.address("camera"), 60)
        assert len(list(clip.inputs)) == 20


def test_it_ends_after_so_many_seconds() -> None:
    with HttpServer(pictures=PICTURES, rate=100) as server:
        found = list(_live.clip(server.address("silent"), 1e-9).inputs)
    assert len(found) == 1  # though the stream never ends


def test_it_ends_when_it_is_asked_to_and_keeps_what_was_read() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with HttpServer(pictures=PICTURES, rate=100) as server:
        inputs = _live.clip(server.address("silent"), 60).inputs
        found = [next(inputs)]
        os.kill(os.getpid(), signal.SIGTERM)
        found += inputs
    assert len(found) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rtsp://user:secret@camera:554/1", "rtsp://camera:554/1"),
        ("https://host/video.mp4?token=secret", "https://host/video.mp4"),
        (0, "0"),
    ],
)
def test_a_name_holds_no_password(source: "str | int", name: str) -> None:
    assert _items.name_of(source) == name
