"""Numbers in memory that processes share, written by one of them and read without a lock."""

from __future__ import annotations

import mmap
import threading
from typing import Optional

PAGE = mmap.PAGESIZE
_MAP_NORESERVE = 0x4000  # in Python since 3.11; the same number on x86 and ARM


class Fence:
    """Orders writes to shared memory on processors that reorder them, such as ARM.

    What was written before the call is visible to other processes before what is written after it:
    a lock's release and its next acquisition are never exchanged.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> None:
        for _ in range(2):
            self._lock.acquire()
            self._lock.release()


class Words:
    """A region of shared memory: 32-bit words, which are written as a whole, and 64-bit floats, which
    are not.
    """

    def __init__(self, memory: mmap.mmap, at: int, words: int, floats: int = 0) -> None:
        view = memoryview(memory)
        self.words = view[at : at + 4 * words].cast("I")
        after = at + 8 * ((words + 1) // 2)
        self.floats = view[after : after + 8 * floats].cast("d")


def size_of(words: int, floats: int = 0) -> int:
    """Return the bytes of a region of `Words`."""
    return 8 * ((words + 1) // 2) + 8 * floats


def shared(size_bytes: int, number: Optional[int] = None) -> mmap.mmap:
    """Return memory that children share; number: that of a memory file, for other processes too.

    Pages that are never used take no memory, and none is reserved for them.
    """
    if number is None:
        return mmap.mmap(-1, size_bytes, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
    return mmap.mmap(number, size_bytes)


def milliseconds(now_s: float) -> int:
    """Return a monotonic time as a word that is never 0."""
    return int(now_s * 1000) % 2**32 or 1


def elapsed_s(word: int, now_s: float) -> float:
    """Return the seconds since the time of a word, which is less than 24 days ago."""
    past = (milliseconds(now_s) - word) % 2**32
    return past / 1000 if past < 2**31 else 0.0
