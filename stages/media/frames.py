"""A video as a stream of frames, independent of the decoding library."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """picture: (h, w, 3) uint8, RGB, upright, square pixels. time_s: since the first frame."""

    picture: np.ndarray
    time_s: float


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

    @abstractmethod
    def __iter__(self) -> "Iterator[Frame]":
        """Yield the frames; raise Unreadable if there is none."""

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

    def _next(self, picture: np.ndarray, time_s: "float | None") -> Frame:
        """Count a frame; without its own time, or if that goes back, compute its time from the previous."""
        step = 1 / (self.frame_rate or 25.0)
        if time_s is None or (self.read and time_s <= self._last_s):
            time_s = self._last_s + step if self.read else 0.0
        self.read += 1
        self._last_s = time_s
        return Frame(picture, time_s)
