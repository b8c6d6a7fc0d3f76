"""Averages what the frames of a clip say, so that answers do not flicker. Numpy only.

Only basic arithmetic is used, which gives the same bits on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SETTLING_S = 0.3  # the last frames of this time have about two thirds of the weight
_MARGIN = 0.1  # share of a threshold by which what was above it may fall below it


class Average:
    """An average of values over time, in which a frame's weight falls with its age."""

    def __init__(self, settling_s: float = SETTLING_S) -> None:
        self._settling_s = settling_s
        self._values: Optional[NDArray[np.float32]] = None
        self._now_s = 0.0

    def add(self, values: NDArray[Any], now_s: float) -> NDArray[np.float32]:
        """Return the average with the values of a frame; the first frame's are its own.

        now_s: the time of the frame. After a long pause, a frame counts almost alone.
        """
        elapsed_s, self._now_s = max(now_s - self._now_s, 0.0), now_s
        if self._values is None:
            self._values = values.astype("float32")
        else:
            share = elapsed_s / (self._settling_s + elapsed_s)
            self._values = (self._values + share * (values - self._values)).astype("float32")
        return self._values


def kept_threshold(threshold: float, was_above: bool) -> float:
    """Return a threshold, lower for what was above it in the frame before: it does not flicker."""
    return threshold - _MARGIN * abs(threshold) if was_above else threshold
