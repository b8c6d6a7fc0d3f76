"""What the web server counts, and the errors of ours that it logs."""

from __future__ import annotations

import time
from collections import Counter
from typing import Callable, Dict

from stages.serving.events.counters import named

_SAID_S = 60.0  # the same failure is logged once in this time
_MOST_FAILURES = 100


class Tally:
    """Counts of responses by status, and of connections that were refused or ended by cause."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._statuses: Counter[int] = Counter()
        self._refused: Counter[str] = Counter()
        self._said_s: Dict[str, float] = {}

    def answered(self, status: int) -> None:
        """Count a response."""
        self._statuses[status] += 1

    def refused(self, cause: str) -> None:
        """Count a connection."""
        self._refused[cause] += 1

    def failed(self, trace: str) -> None:
        """Log an error of ours, but the same one not all the time."""
        now_s = time.monotonic()
        if now_s - self._said_s.get(trace, -_SAID_S) < _SAID_S:
            return
        if len(self._said_s) >= _MOST_FAILURES:
            self._said_s.clear()
        self._said_s[trace] = now_s
        self._say(f"the web server failed to answer a request:\n{trace}")

    def values(self) -> Dict[str, float]:
        """Return the counts as metrics."""
        found: Dict[str, float] = {}
        for status, count in sorted(self._statuses.items()):
            found[named("serving_requests_total", status=str(status))] = count
        for cause, count in sorted(self._refused.items()):
            found[named("serving_refused_total", cause=cause)] = count
        return found
