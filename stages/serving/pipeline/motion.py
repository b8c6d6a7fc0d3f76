"""The motion gate: tells whether enough of a picture has changed since the last one that passed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 64  # samples of the longer side
CHANGED = 25  # levels of 255 by which a sample must differ; the noise of cheap cameras stays below
PASS_S = 2.0  # a picture passes at least this often, so that rules notice that nothing happens


class Gate:
    """Compares a grid of samples of the green channel, which costs microseconds."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._last: Optional[NDArray[np.int16]] = None
        self._passed_s = float("-inf")

    def passes(self, pixels: NDArray[np.uint8], now_s: Optional[float] = None) -> bool:
        """Return whether a picture (h, w, 3) has changed, or the last one passed long ago."""
        if not self._share:
            return True
        now_s = time.monotonic() if now_s is None else now_s
        samples = _samples(pixels)
        if now_s - self._passed_s < PASS_S and not self._has_changed(samples):
            return False
        self._last, self._passed_s = samples, now_s
        return True

    def _has_changed(self, samples: NDArray[np.int16]) -> bool:
        if self._last is None or self._last.shape != samples.shape:
            return True
        changed = abs(samples - self._last) > CHANGED
        return bool(changed.mean() >= self._share)


def _samples(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    step = max(1, max(pixels.shape[:2]) // SIDE)
    return pixels[step // 2 :: step, step // 2 :: step, 1].astype("int16")
