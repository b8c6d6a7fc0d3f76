"""Reads a camera or a stream for a limited time, or until this process is asked to end."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from stages.edge import _items
from stages.edge._items import Clip, Input


def clip(stream: str, seconds: float) -> Clip:
    """Return the frames of the camera with this number, or of the stream with this address.

    The clip ends with the stream, `seconds` after the first frame, or with SIGTERM; all frames read
    until then are answered.
    """
    source = int(stream) if stream.isdecimal() else stream
    return Clip(_items.name_of(source), _frames(source, seconds))


def _frames(source: "int | str", seconds: float) -> "Iterator[Input]":
    end_s = None
    with _asked_to_end() as is_asked, closing(_items.video(source)) as inputs:
        for one in inputs:
            yield one
            end_s = end_s or time.monotonic() + seconds
            if is_asked() or time.monotonic() >= end_s:
                return


@contextmanager
def _asked_to_end() -> "Iterator[Callable[[], bool]]":
    """Yield a function that returns whether SIGTERM arrived; meanwhile it does not end this process."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
