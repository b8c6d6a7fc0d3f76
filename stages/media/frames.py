"""A video as a stream of frames, independent of the decoding library."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Callable, NamedTuple

import numpy as np

from stages.media.scaling import reduced, resized

Buffer = Callable[[int, int], np.ndarray]  # height and width -> an array (height, width, 3), uint8


class Frame(NamedTuple):
    """picture: (h, w, 3) uint8, RGB, upright, square pixels. time_s: since the first frame."""

    picture: np.ndarray
    time_s: float


class Decoded(ABC):
    """A decoded frame whose pixels are not converted yet, so that one that nobody needs costs less.

    time_s: since the first frame.
    """

    time_s: float = 0.0

    @abstractmethod
    def picture(self) -> np.ndarray:
        """Return it as (h, w, 3) uint8, RGB, upright, square pixels."""

    def write(self, buffer: Buffer, at_least: "int | None" = None) -> "tuple[int, int]":
        """Write it into `buffer(height, width)` and return its size.

        at_least: it may be reduced to 1/2, 1/4 or 1/8, with at least this many pixels on both sides.
        """
        picture = self.picture()
        height, width = reduced(*picture.shape[:2], at_least)
        np.copyto(buffer(height, width), resized(picture, width, height))
        return height, width


class Video(ABC):
    """Frames that are decoded during iteration, only once; close it or use `with`.

    frame_rate: average frames per second, None if unknown. lost and damaged: the number of frames so
    far that could not be decoded, or were decoded with errors. broken: why a stream was interrupted,
    or empty.
    """

    def __init__(self, frame_rate: "float | None") -> None:
        self.frame_rate = frame_rate if frame_rate and 0 < frame_rate < 1000 else None
        self.read = self.lost = self.damaged = 0
        self.broken = ""
        self._last_s = -1.0

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> "Iterator[Frame]":
        """Yield the frames; raise Unreadable if there is none."""
        for decoded in self.decoded():
            yield Frame(decoded.picture(), decoded.time_s)

    @abstractmethod
    def decoded(self) -> "Iterator[Decoded]":
        """Yield the frames before their pixels are converted; raise Unreadable if there is none.

        Each can be converted until the video is closed, also after the next one was decoded.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the decoder."""

    def faults(self) -> str:
        """Return what was lost or damaged, as part of a sentence; empty if nothing was."""
        found = []
        if self.lost:
            found.append(f"{self.lost} of {self.read + self.lost} frames cannot be decoded")
        if self.damaged:
            found.append(f"{self.damaged} decoded with errors")
        if self.broken:
            found.append(f"the connection broke after {self._last_s:.1f} s ({self.broken})")
        return ", ".join(found)

    def _next(self, decoded: Decoded, time_s: "float | None") -> Decoded:
        """Count a frame; without its own time, or if that goes back, compute its time from the previous."""
        step = 1 / (self.frame_rate or 25.0)
        if time_s is None or (self.read and time_s <= self._last_s):
            time_s = self._last_s + step if self.read else 0.0
        self.read += 1
        self._last_s = time_s
        decoded.time_s = time_s
        return decoded
