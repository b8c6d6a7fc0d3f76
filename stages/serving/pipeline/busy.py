"""Since when each thread of the inference process has been busy, for the watchdog."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterator

from stages.serving.pipeline.memory import Words, elapsed_s, milliseconds, shared, size_of

THREADS = 2


class Busy:
    """A word for each thread, in memory shared with the supervisor."""

    def __init__(self) -> None:
        self._words = Words(shared(size_of(THREADS)), 0, THREADS).words

    @contextmanager
    def thread(self, number: int) -> Iterator[None]:
        """Show that a thread is busy."""
        self._words[number] = milliseconds(time.monotonic())
        try:
            yield
        finally:
            self._words[number] = 0

    def longest_s(self) -> float:
        """Return the longest time that a thread has been busy with one thing."""
        now_s = time.monotonic()
        return max(elapsed_s(word, now_s) if word else 0.0 for word in self._words)

    def forget(self) -> None:
        """Show no thread as busy: the process has ended."""
        for number in range(THREADS):
            self._words[number] = 0
