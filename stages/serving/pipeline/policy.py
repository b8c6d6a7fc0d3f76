"""Decides what follows the failure of an inference process: the same accelerator again, the CPU, or
nothing. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Optional

from stages.serving.pipeline.settings import Settings

LONGEST_PROBE_S = 600.0


@dataclass
class Policy:
    """The accelerator in use, and the failures so far."""

    settings: Settings
    using: str = ""
    failures: int = 0  # on the accelerator since it last worked for long
    why: str = ""  # the last failure
    is_given_up: bool = False
    _recent: Deque[float] = field(default_factory=deque)
    _ready_s: Optional[float] = None
    _was_present: bool = True
    _probe_s: float = 0.0
    _next_probe_s: float = 0.0

    def __post_init__(self) -> None:
        self.using = self.settings.accelerator
        self._probe_s = self.settings.probe_s

    @property
    def has_fallen_back(self) -> bool:
        """Return whether the CPU does the accelerator's work."""
        return self.using != self.settings.accelerator

    def opened(self, now_s: float, accelerator: str) -> None:
        """Note that a process is ready, and on what it runs."""
        self._ready_s = now_s
        if accelerator != self.using and self.settings.accelerator != "none":
            self._fall_back(now_s)

    def failed(self, now_s: float, why: str) -> float:
        """Note a failure; return the seconds to wait before the next start."""
        if self._ready_s is not None and now_s - self._ready_s > self.settings.crash_span_s:
            self.failures = 0  # it worked for long
            if self.using != "none":
                self._probe_s = self.settings.probe_s
        self._ready_s, self.why = None, why
        self.failures += 1
        self._recent.append(now_s)
        while now_s - self._recent[0] > self.settings.crash_span_s:
            self._recent.popleft()
        if self.using != "none" and self.failures > self.settings.reopen:
            self._fall_back(now_s)
            return 0.0
        self.is_given_up = len(self._recent) > self.settings.crashes
        return float(self.settings.backoff_s * 2 ** min(self.failures - 1, 6))

    def wants_probe(self, now_s: float, is_present: bool) -> bool:
        """Return whether to try the accelerator now: at once if it was plugged in again, otherwise after
        growing intervals.
        """
        if not self.has_fallen_back:
            return False
        came_back = is_present and not self._was_present
        self._was_present = is_present
        if came_back:
            self._probe_s = self.settings.probe_s
            return True
        return is_present and now_s >= self._next_probe_s

    def probed(self, now_s: float, works: bool) -> None:
        """Note how a trial of the accelerator ended."""
        if works:
            self.using, self.failures, self.why = self.settings.accelerator, 0, ""
            self.is_given_up = False
            self._recent.clear()
        else:
            self._plan_probe(now_s)

    def _fall_back(self, now_s: float) -> None:
        self.using, self.failures = "none", 0
        self._recent.clear()
        self._plan_probe(now_s)

    def _plan_probe(self, now_s: float) -> None:
        """Set when to try the accelerator; an accelerator that soon fails again is tried less often."""
        self._next_probe_s = now_s + self._probe_s
        self._probe_s = min(2 * self._probe_s, max(LONGEST_PROBE_S, self.settings.probe_s))
