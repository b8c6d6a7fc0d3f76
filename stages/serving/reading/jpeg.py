"""Finds JPEGs in a stream of bytes, and decodes them at a reduced size.

ITU-T T.81, annex B: segments with their length up to the start of a scan, then coded data in which 0xFF
is followed by 0 or a restart marker. So a thumbnail inside a picture is not mistaken for its end.
"""

from __future__ import annotations

import io
import re
from typing import Iterator, Optional, Tuple

import numpy as np

from engine.stage import StageError
from stages.media.frames import Buffer, Decoded
from stages.media.scaling import divisor
from stages.media.unreadable import Unreadable

MOST_BYTES = 16 << 20  # of one picture
MOST_PIXELS = 1 << 25  # of one frame; 8K has 33 million
_START = b"\xff\xd8"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # ends coded data
_END, _SCAN = 0xD9, 0xDA
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # frame headers: SOF0 to SOF15


class JpegSplitter:
    """Cuts a stream of bytes into JPEGs; damaged: how many were incomplete or too large."""

    def __init__(self) -> None:
        self.damaged = 0
        self._data = bytearray()
        self._at = 0  # where the next segment of the picture begins
        self._last = 0  # where the one before it began
        self._is_coded = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add data and yield the pictures that are now complete."""
        self._data += data
        while True:
            if not self._at and not self._find_start():
                return
            end = self._walk()
            if end is None:
                if len(self._data) <= MOST_BYTES:
                    return
                self._restart(len(self._data), True)
            elif end > 0:
                yield bytes(self._data[:end])
                self._restart(end, False)

    def finish(self) -> None:
        """Count what is left as a damaged picture."""
        self.damaged += self._at > 0
        self._restart(len(self._data), False)

    def _find_start(self) -> bool:
        start = self._data.find(_START)
        if start < 0:
            del self._data[: max(0, len(self._data) - 1)]
            return False
        del self._data[:start]
        self._at, self._is_coded = 2, False
        return True

    def _walk(self) -> Optional[int]:
        """Return where the picture ends, None if it is not complete, 0 if it was damaged."""
        while True:
            if self._is_coded and not self._skip_coded():
                return None
            head = self._data[self._at : self._at + 4]
            if len(head) < 2:
                return None
            if head[1] == _END and head[0] == 0xFF:
                return self._at + 2
            if head[:2] == _START:
                return self._restart(self._at, True)
            if head[0] != 0xFF or head[1] == 0:  # cut inside the last segment
                return self._restart(self._last + 2, True)
            if head[1] == 0xFF:  # padding
                self._at += 1
            elif len(head) < 4:
                return None
            else:
                self._last = self._at
                self._at += 2 + max(2, int.from_bytes(head[2:], "big"))
                self._is_coded = head[1] == _SCAN

    def _skip_coded(self) -> bool:
        """Go to the next marker; return whether it has arrived."""
        marker = _MARKER.search(self._data, self._at)
        if marker is None:
            self._at = max(self._at, len(self._data) - 1)
            return False
        self._at, self._is_coded = marker.start(), False
        return True

    def _restart(self, at: int, is_damaged: bool) -> int:
        """Forget the data before `at`."""
        self.damaged += is_damaged
        del self._data[:at]
        self._at = self._last = 0
        self._is_coded = False
        return 0


class Jpeg(Decoded):
    """A JPEG that is decoded when its pixels are needed: by OpenCV, or else by Pillow."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def picture(self) -> np.ndarray:
        """Return it as (h, w, 3) uint8, RGB. Unreadable: it cannot be decoded, or is too large."""
        kept = []
        self.write(lambda height, width: kept.append(_empty(height, width)) or kept[0])
        return kept[0]

    def write(self, buffer: Buffer, at_least: Optional[int] = None) -> Tuple[int, int]:
        """Write it into the buffer, as `Decoded.write` does; errors as of `picture`."""
        by = divisor(*size(self._data), at_least)
        try:
            import cv2
        except ImportError:
            return _write_by_pillow(self._data, by, buffer)
        flags = {
            1: cv2.IMREAD_COLOR,
            2: cv2.IMREAD_REDUCED_COLOR_2,
            4: cv2.IMREAD_REDUCED_COLOR_4,
            8: cv2.IMREAD_REDUCED_COLOR_8,
        }
        bgr = cv2.imdecode(np.frombuffer(self._data, np.uint8), flags[by])
        if bgr is None:
            raise Unreadable("a damaged JPEG")
        height, width = bgr.shape[:2]
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=buffer(height, width))
        return height, width


def _write_by_pillow(data: bytes, by: int, buffer: Buffer) -> Tuple[int, int]:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise StageError("JPEGs need OpenCV or Pillow, but neither is installed") from None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as image:
            image.draft("RGB", (image.width // by, image.height // by))
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise Unreadable(f"a damaged JPEG ({error})") from None
    np.copyto(buffer(*pixels.shape[:2]), pixels)
    return pixels.shape[0], pixels.shape[1]


def size(data: bytes) -> Tuple[int, int]:
    """Return the height and width in a JPEG's header. Unreadable: it has none, or is too large."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind in _SIZES:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            if not 0 < height * width <= MOST_PIXELS:
                raise Unreadable(f"a picture of {width} x {height} pixels")
            return height, width
        at += 1 if kind == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise Unreadable("a JPEG without a size")


def _empty(height: int, width: int) -> np.ndarray:
    return np.empty((height, width, 3), np.uint8)
