"""Frames whose pixels a driver or another program has already decoded."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from stages.media.frames import Buffer, Decoded
from stages.media.scaling import reduced


class Rgb(Decoded):
    """A frame as (h, w, 3) uint8, RGB."""

    def __init__(self, rgb: np.ndarray) -> None:
        self._rgb = rgb

    def picture(self) -> np.ndarray:
        """Return it."""
        return self._rgb


class Bgr(Decoded):
    """A frame as OpenCV returns it: (h, w, 3) uint8, BGR."""

    def __init__(self, bgr: np.ndarray) -> None:
        self._bgr = bgr

    def picture(self) -> np.ndarray:
        """Return it in RGB."""
        return np.ascontiguousarray(self._bgr[:, :, ::-1])

    def write(self, buffer: Buffer, at_least: Optional[int] = None) -> Tuple[int, int]:
        """Reduce it, and convert it into the buffer."""
        import cv2

        bgr = self._bgr
        height, width = reduced(*bgr.shape[:2], at_least)
        if (height, width) != bgr.shape[:2]:
            bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=buffer(height, width))
        return height, width
