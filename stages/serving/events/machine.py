"""The state of one rule at one source: when its event begins and ends. Pure: time is an argument.

Times are seconds of any clock that runs forward. Frames that arrive late are ignored; a clock that is
set back is followed from where it stands then. So an event never begins within the cool-down after the
last one, and each beginning has exactly one end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Literal

Change = Literal["began", "ended"]
REORDERED_S = 2.0  # a frame that is older than this was not late: the clock was set back
SILENCE_S = 5.0  # without any answer, what was seen is no longer the case


@dataclass
class Machine:
    """One rule at one source."""

    for_s: float
    forgive_s: float
    cool_down_s: float
    is_active: bool = False
    _time_s: float = float("-inf")  # of the newest frame, on a clock that never goes back
    _shift_s: float = 0.0  # from the given clock to that one
    _since_s: float = 0.0  # of the condition
    _seen_s: float = float("-inf")  # when the condition last held
    _quiet_until_s: float = float("-inf")

    def observe(self, time_s: float, holds: bool) -> List[Change]:
        """Take one frame, in which the condition holds or not; return what happens."""
        if not self._advance(time_s):
            return []
        changes: List[Change] = []
        if self._time_s - self._seen_s > max(self.forgive_s, SILENCE_S):
            changes = self._end()
            self._since_s = self._time_s
        if holds:
            self._seen_s = self._time_s
            return changes + self._begin()
        if self._time_s - self._seen_s > self.forgive_s:
            changes += self._end()
            self._seen_s = float("-inf")
        return changes

    def tick(self, time_s: float) -> List[Change]:
        """Let time pass without a frame; return what happens."""
        is_silent = time_s + self._shift_s - self._seen_s > max(self.forgive_s, SILENCE_S)
        return self.observe(time_s, False) if self.is_active and is_silent else []

    def finish(self) -> List[Change]:
        """End an event that lasts, because nothing follows."""
        return self._end()

    def _advance(self, time_s: float) -> bool:
        """Set the time; return False for a frame that is late."""
        now_s = time_s + self._shift_s
        if now_s < self._time_s - REORDERED_S:
            self._shift_s = self._time_s - time_s
            now_s = self._time_s
        if now_s < self._time_s:
            return False
        self._time_s = now_s
        return True

    def _begin(self) -> List[Change]:
        is_long_enough = self._time_s - self._since_s >= self.for_s
        if self.is_active or not is_long_enough or self._time_s < self._quiet_until_s:
            return []
        self.is_active = True
        return ["began"]

    def _end(self) -> List[Change]:
        if not self.is_active:
            return []
        self.is_active = False
        self._quiet_until_s = self._time_s + self.cool_down_s
        return ["ended"]
