"""Draws lines, points, boxes and text on a picture: with Pillow, or with OpenCV on a device without it,
whose text has only the letters of English.
"""

from typing import Optional, Protocol, Tuple

import numpy as np

from engine.stage import StageError
from stages.media.colours import BLACK, WHITE, Colour

__all__ = ["BLACK", "WHITE", "Canvas", "Colour", "canvas_of"]


class Canvas(Protocol):
    """A copy of an RGB picture (h, w, 3) to draw on; `unit` is the line width in pixels."""

    unit: int

    @property
    def picture(self) -> np.ndarray:
        """Return the current picture: (h, w, 3) uint8, RGB."""

    def line(
        self, start: "Tuple[float, float]", end: "Tuple[float, float]", colour: Colour
    ) -> None:
        """Draw a line between two points in pixels, x and y."""

    def point(self, centre: "Tuple[float, float]", colour: Colour) -> None:
        """Draw a disc that is slightly wider than a line."""

    def box(self, corners: "Tuple[float, float, float, float]", colour: Colour) -> None:
        """Draw the outline of left, top, right, bottom, in pixels."""

    def text(self, place: "Tuple[float, float]", text: str, size: "Optional[int]" = None) -> None:
        """Write white text with a black outline; `place` is the left end of its baseline, in pixels.

        size: of the font, in pixels; the default is legible at the picture's size. Text that would end
        outside the picture is moved to the left; if it is wider than the picture, it is written smaller.
        """

    def caption(self, text: str) -> None:
        """Write the text at the bottom left."""


def canvas_of(picture: np.ndarray) -> Canvas:
    """Return a copy of an RGB picture (h, w, 3) to draw on; StageError: nothing to draw with."""
    try:
        from stages.media.canvas_pillow import PillowCanvas
    except ImportError:
        return _with_opencv(picture)
    return PillowCanvas(picture)


def _with_opencv(picture: np.ndarray) -> Canvas:
    try:
        from stages.media.canvas_opencv import OpenCVCanvas
    except ImportError:
        raise StageError(
            "drawing on pictures needs Pillow or OpenCV, but neither is installed"
        ) from None
    return OpenCVCanvas(picture)
