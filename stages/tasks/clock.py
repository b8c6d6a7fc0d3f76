"""The time of the frames of a clip, as a task's state sees it: it never goes back."""

from __future__ import annotations

import math
from typing import Optional

USUAL_FRAME_S = 1 / 30  # between two frames, if the caller does not know


class Clock:
    """A state that knows when its frames were captured; see `stages.tasks.task.set_time`.

    A frame without a time follows the last one at 30 frames a second. After a jump back, for example
    because a video starts again or the system's clock was set, time goes on from the last frame.
    """

    def __init__(self) -> None:
        self.time_s: Optional[float] = None  # of the next frame
        self._now_s: Optional[float] = None
        self._shift_s = 0.0

    def tick(self) -> float:
        """Return the time of the next frame in seconds; call it once for each frame."""
        given, self.time_s = self.time_s, None
        last = self._now_s
        if given is None or not math.isfinite(given):
            self._now_s = 0.0 if last is None else last + USUAL_FRAME_S
            return self._now_s
        now = given + self._shift_s
        if last is not None and now < last:
            self._shift_s += last + USUAL_FRAME_S - now
            now = last + USUAL_FRAME_S
        self._now_s = now
        return now
