"""The newest JPEG pictures of a source, and how many are wanted, in memory shared with the main process.

The camera process writes, the main process copies a picture out and checks that it was not overwritten
meanwhile; see `frames`.
"""

from __future__ import annotations

import mmap
import time
from typing import Optional

from stages.serving.interfaces import Picture
from stages.serving.pipeline.memory import PAGE, Fence, Words, size_of

SLOTS = 3
LARGEST = 4_000_000  # bytes of a picture
PLAIN, DRAWN = 0, 1
_NEWEST, _WANTED = range(2)  # words of a kind: the slot's number + 1, pictures per 1000 s
_NUMBER, _LENGTH = range(2)  # words of a slot
_HEAD, _SLOT = 2, 2
_WORDS, _FLOATS = _HEAD + SLOTS * _SLOT, 2 * SLOTS
_START = -(-size_of(_WORDS, _FLOATS) // PAGE) * PAGE
_KIND = _START + SLOTS * (-(-LARGEST // PAGE) * PAGE)


def size_bytes(sources: int) -> int:
    """Return the size of the memory for these many sources."""
    return max(1, sources) * 2 * _KIND


class Pictures:
    """The pictures of one kind, plain or drawn on, of one source."""

    def __init__(self, memory: mmap.mmap, source: int, kind: int) -> None:
        self._at = (2 * source + kind) * _KIND
        self._memory, self._published = memory, 0
        numbers = Words(memory, self._at, _WORDS, _FLOATS)
        self._words, self._floats = numbers.words, numbers.floats
        self._fence = Fence()

    @property
    def wanted_fps(self) -> float:
        return float(self._words[_WANTED] / 1000)

    def want(self, fps: float) -> None:
        """Set how many pictures a second are wanted."""
        self._words[_WANTED] = min(2**31, max(0, round(fps * 1000)))

    def put(self, jpeg: bytes, frame: int, time_s: float) -> None:
        """Write a picture that is not larger than LARGEST."""
        slot = self._words[_NEWEST] % SLOTS  # the one after the newest, whose word is its slot + 1
        at = _HEAD + slot * _SLOT
        self._published = self._published % (2**32 - 2) + 1
        self._words[at + _NUMBER] = 0
        self._fence()
        start = self._place(slot)
        self._memory[start : start + len(jpeg)] = jpeg
        self._words[at + _LENGTH] = len(jpeg)
        self._floats[2 * slot], self._floats[2 * slot + 1] = frame, time_s
        self._fence()
        self._words[at + _NUMBER] = self._published
        self._words[_NEWEST] = slot + 1

    def get(self) -> Optional[Picture]:
        """Return the newest picture."""
        for _ in range(SLOTS):
            if not self._words[_NEWEST]:
                return None
            slot = self._words[_NEWEST] - 1
            at = _HEAD + slot * _SLOT
            number, start = self._words[at + _NUMBER], self._place(slot)
            self._fence()
            jpeg = bytes(self._memory[start : start + min(self._words[at + _LENGTH], LARGEST)])
            frame, time_s = self._floats[2 * slot], self._floats[2 * slot + 1]
            self._fence()
            if number and number == self._words[at + _NUMBER]:
                return Picture(jpeg, int(frame), time_s)
            time.sleep(0.001)  # it was overwritten: the next one is almost complete
        return None

    def _place(self, slot: int) -> int:
        return self._at + _START + slot * (_KIND - _START) // SLOTS
