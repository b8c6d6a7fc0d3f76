"""Since when frames wait that an idle inference process does not take: it hangs, but not in an inference."""

from __future__ import annotations

from typing import Sequence

from stages.serving.pipeline.frames import Ring


class Neglect:
    """Looks at all sources together, because a process that takes turns lets each of them wait."""

    def __init__(self, rings: Sequence[Ring]) -> None:
        self._rings, self._taken, self._since_s = list(rings), 0, 0.0

    def begin(self, now_s: float) -> None:
        """Count from now on: a process was started, which may be ready before the first look."""
        self._since_s = now_s

    def lasts_s(self, now_s: float, is_busy: bool) -> float:
        """Return for how long frames have waited while the process was not busy and took none."""
        taken = sum(ring.counted("taken") for ring in self._rings)
        is_waiting = not all(ring.is_taken() for ring in self._rings)
        if is_busy or not is_waiting or taken != self._taken:
            self._taken, self._since_s = taken, now_s
        return now_s - self._since_s
