"""Reads a source as a camera process does, until something is true of it."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from stages.serving.reading.opening import open_source
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.reader import Reader, Taken

QUICK = ReadingOptions(silent_s=1.0, retry_s=0.05, retry_most_s=0.2, wait_s=0.1, frozen_s=0)
PATIENT = dataclasses.replace(QUICK, silent_s=5.0)  # FFmpeg needs a second to open a stream


class Camera:
    """A reader with everything that it read: `taken`, and the last picture."""

    def __init__(self, text: str, options: ReadingOptions = QUICK) -> None:
        self.reader = Reader("x", open_source(text, options), options)
        self.taken: list[Taken] = []
        self.picture = np.zeros((0, 0, 3), np.uint8)

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    @property
    def state(self) -> dict[str, object]:
        """The source's state."""
        return self.reader.state()

    def until(self, found: Callable[[dict[str, object]], object], within_s: float = 20.0) -> dict:
        """Read until the state is as wanted, and return it."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            taken = self.reader.read(self._buffer)
            if taken:
                self.taken.append(taken)
            if found(self.state):
                return self.state
        raise AssertionError(f"still {self.state}")

    def until_frames(self, number: int, within_s: float = 20.0) -> dict:
        """Read this many more frames."""
        wanted = len(self.taken) + number
        return self.until(lambda _: len(self.taken) >= wanted, within_s)

    def until_status(self, status: str, within_s: float = 20.0) -> dict:
        """Read until the source has this status."""
        return self.until(lambda state: state["status"] == status, within_s)

    def _buffer(self, height: int, width: int) -> np.ndarray:
        if self.picture.shape[:2] != (height, width):
            self.picture = np.zeros((height, width, 3), np.uint8)
        return self.picture
