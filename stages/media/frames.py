"""A video as a stream of frames, whichever library decodes it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """picture: (h, w, 3) uint8, RGB, upright, square pixels. time_s: since the first frame."""

    picture: np.ndarray
    time_s: float


class Video(ABC):
    """Frames that are decoded while they are iterated over, once; close it or use `with`.

    frame_rate: frames a second on average, None if the file does not say. lost and damaged count
    frames that could not be decoded, and those that were decoded with errors, so far. broken: why a
    stream broke off before its end, or empty.
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
        """Yield the frames; Unreadable if there is none."""

    @abstractmethod
    def close(self) -> None:
        """Release the decoder."""

    def faults(self) -> str:
        """Return what was lost or damaged, as the end of a sentence; empty if nothing was."""
        found = []
        if self.lost:
            found.append(f"{self.lost} of {self.read + self.lost} frames cannot be decoded")
        if self.damaged:
            found.append(f"{self.damaged} decoded with errors")
        if self.broken:
            found.append(f"the connection broke after {self._last_s:.1f} s ({self.broken})")
        return ", ".join(found)

    def _next(self, picture: np.ndarray, time_s: "float | None") -> Frame:
        """Count a frame; one without a time of its own, or a time that goes back, follows the last."""
        step = 1 / (self.frame_rate or 25.0)
        if time_s is None or (self.read and time_s <= self._last_s):
            time_s = self._last_s + step if self.read else 0.0
        self.read += 1
        self._last_s = time_s
        return Frame(picture, time_s)
