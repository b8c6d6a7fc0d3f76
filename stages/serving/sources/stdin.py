"""Standard input: JPEGs one after another (`-`), or RGB pixels of one size (`-:WIDTHxHEIGHT`).

`ffmpeg ... -f mjpeg -` writes the first, `ffmpeg ... -f rawvideo -pix_fmt rgb24 -` the second.
"""

from __future__ import annotations

import os
import re
import select
from typing import Generator, Iterator, Optional, Tuple

import numpy as np

from engine.stage import StageError
from stages.media.frames import Decoded
from stages.serving.interfaces import Ended, NoSignal
from stages.serving.mistakes import refused
from stages.serving.reading.jpeg import MOST_PIXELS, Jpeg, JpegSplitter
from stages.serving.reading.live import LiveSource
from stages.serving.reading.newest import Stop
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.pixels import Rgb

_WORD = re.compile(r"-(?::(\d{1,5})x(\d{1,5}))?")
_READ_BYTES = 1 << 16
_POLL_S = 0.2


def recognises(text: str) -> bool:
    """Return whether it is - or -:WIDTHxHEIGHT."""
    return _WORD.fullmatch(text) is not None


def make(text: str, options: ReadingOptions) -> Stdin:
    """Return standard input. StageError: the size is impossible. Mistakes: it is a terminal."""
    match = _WORD.fullmatch(text)
    assert match is not None
    size = (int(match[2]), int(match[1])) if match[1] else None
    if size is not None and not 0 < size[0] * size[1] <= MOST_PIXELS:
        raise StageError(f"frames of {match[1]} x {match[2]} pixels are not supported")
    if os.isatty(0):
        what = "standard input is a terminal"
        raise refused(f"source={text}", what, "pipe pictures into this program")
    return Stdin(text, size, options)


class Stdin(LiveSource):
    """Frames from another program. At its own speed only the newest is kept; otherwise the program waits
    until each is taken.
    """

    type = "stdin"

    def __init__(self, text: str, size: Optional[Tuple[int, int]], options: ReadingOptions) -> None:
        super().__init__(text, options)
        self._size = size
        self._was_opened = False

    def frames(self, stop: Stop) -> Generator[Decoded, None, None]:
        """Yield the frames until the other program ends; the input cannot be opened twice."""
        if self._size is None:
            yield from self._jpegs(stop)
        else:
            yield from self._raw(stop, *self._size)
        if not stop.is_set():
            raise Ended

    def _jpegs(self, stop: Stop) -> Iterator[Decoded]:
        splitter, counted = JpegSplitter(), 0
        for data in _pieces(stop):
            for jpeg in splitter.feed(data):
                yield Jpeg(jpeg)
            self.dropped["damaged"] += splitter.damaged - counted
            counted = splitter.damaged
        splitter.finish()
        self.dropped["damaged"] += splitter.damaged - counted

    def _raw(self, stop: Stop, height: int, width: int) -> Iterator[Decoded]:
        frame_bytes = 3 * height * width
        kept = bytearray()
        for data in _pieces(stop):
            kept += data
            while len(kept) >= frame_bytes:
                pixels = np.frombuffer(bytes(kept[:frame_bytes]), np.uint8)
                del kept[:frame_bytes]
                yield Rgb(pixels.reshape(height, width, 3))
        self.dropped["damaged"] += bool(kept)

    def _keeps_all(self) -> bool:
        return self.options.speed == "fast"


def _pieces(stop: Stop) -> Iterator[bytes]:
    """Yield what arrives on standard input, until its end."""
    while not stop.is_set():
        try:
            if not select.select([0], [], [], _POLL_S)[0]:
                continue
            data = os.read(0, _READ_BYTES)
        except (OSError, ValueError) as error:
            raise NoSignal(f"standard input cannot be read: {error}") from None
        if not data:
            return
        yield data
