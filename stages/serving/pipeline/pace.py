"""Two threads at one accelerator: the order of their frames, and when a thread takes its next one."""

from __future__ import annotations

import threading
import time

MARGIN_S = 0.0003  # a thread is ready this long before the accelerator is, at least
STEP_S = 0.0003  # by which the margin grows each time that the accelerator had to wait
DECAY = 0.98  # of the margin otherwise
WEIGHT = 0.1  # of the newest value in an average


class Turn:
    """The order of frames: a frame has its turn after all frames that were taken before it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._served = 0

    def is_behind(self, place: int) -> bool:
        """Return whether a frame up to this place has not had its turn."""
        return self._served < place

    def wait(self, place: int) -> None:
        """Wait for the turn of a place; the first is 1."""
        with self._condition:
            self._condition.wait_for(lambda: self._served == place - 1)

    def done(self, place: int) -> None:
        with self._condition:
            self._served = place
            self._condition.notify_all()


class Pace:
    """Finds when a thread should take a frame, so that it is prepared when the accelerator is free, and no
    older than necessary.

    While one thread's inference runs, the other waits until the rest of the inference is as long as the
    preparation. Both are averages of what was observed: an inference is the time between two ends, if
    the later one had to wait for the accelerator.
    """

    def __init__(self) -> None:
        self._end_s = 0.0  # of the last look
        self._inference_s = self._own_s = 0.0  # averages; own: preparation and inference
        self._margin_s = MARGIN_S

    def looked(self, now_s: float, own_s: float, wait_s: float) -> None:
        """Note that a thread has looked: the time of its own work, and how long it waited for its turn."""
        between_s, self._end_s = now_s - self._end_s, now_s
        self._own_s = _averaged(self._own_s, own_s)
        if wait_s > 0:
            self._inference_s = _averaged(self._inference_s, min(between_s, own_s))
            self._margin_s = max(MARGIN_S, self._margin_s * DECAY)
        else:
            self._margin_s = min(self._margin_s + STEP_S, self._own_s)

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before a frame is taken."""
        prepare_s = self._own_s - self._inference_s
        return max(0.0, self._end_s + self._inference_s - prepare_s - self._margin_s - now_s)

    def sleep(self) -> None:
        wait_s = self.wait_s(time.monotonic())
        if wait_s > 0.0001:
            time.sleep(wait_s)


def _averaged(average: float, value: float) -> float:
    return value if not average else average + WEIGHT * (value - average)
