"""Draws lines, points, boxes and text with OpenCV. Its fonts have only the letters of English: accents
are dropped, and other letters become question marks.
"""

import unicodedata
from typing import Optional, Tuple

import numpy as np

from stages.media.colours import BLACK, WHITE, Colour

try:  # tells planning that OpenCV is optional
    import cv2
except ImportError:
    raise

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PIXELS = 30.0  # the size of the font at scale 1
_FARTHEST = 1 << 14  # of a point in pixels: OpenCV's numbers would overflow


class OpenCVCanvas:
    """A copy of an RGB picture (h, w, 3) to draw on; `unit` is the line width in pixels."""

    def __init__(self, picture: np.ndarray) -> None:
        self._picture = np.array(picture, np.uint8, order="C")
        self.unit = max(1, round(max(picture.shape[:2]) / 250))

    @property
    def picture(self) -> np.ndarray:
        """Return the current picture: (h, w, 3) uint8, RGB."""
        return self._picture

    def line(
        self, start: "Tuple[float, float]", end: "Tuple[float, float]", colour: Colour
    ) -> None:
        """Draw a line between two points in pixels, x and y."""
        cv2.line(self._picture, _pixel(start), _pixel(end), colour, self.unit, cv2.LINE_AA)

    def point(self, centre: "Tuple[float, float]", colour: Colour) -> None:
        """Draw a disc that is slightly wider than a line."""
        cv2.circle(self._picture, _pixel(centre), self.unit + 1, colour, cv2.FILLED, cv2.LINE_AA)

    def box(self, corners: "Tuple[float, float, float, float]", colour: Colour) -> None:
        """Draw the outline of left, top, right, bottom, in pixels."""
        left, top, right, bottom = corners
        cv2.rectangle(
            self._picture, _pixel((left, top)), _pixel((right, bottom)), colour, self.unit
        )

    def text(self, place: "Tuple[float, float]", text: str, size: "Optional[int]" = None) -> None:
        """Write white text with a black outline; `place` is the left end of its baseline, in pixels.

        size: of the font, in pixels; the default is legible at the picture's size. Text that would end
        outside the picture is moved to the left; if it is wider than the picture, it is written smaller.
        """
        shown = _in_english_letters(text)
        scale = (size or 10 + 6 * self.unit) / _FONT_PIXELS
        (width, _), _ = cv2.getTextSize(shown, _FONT, scale, self.unit)
        room = self._picture.shape[1] - 4 * self.unit
        if width > room > 0:
            scale, width = scale * room / width, room
        x = min(place[0], max(2 * self.unit, self._picture.shape[1] - 2 * self.unit - width))
        at = _pixel((x, place[1]))
        for colour, thickness in ((BLACK, 3 * self.unit), (WHITE, self.unit)):
            cv2.putText(self._picture, shown, at, _FONT, scale, colour, thickness, cv2.LINE_AA)

    def caption(self, text: str) -> None:
        """Write the text at the bottom left."""
        self.text((4 * self.unit, self._picture.shape[0] - 6 * self.unit), text)


def _pixel(point: "Tuple[float, float]") -> "Tuple[int, int]":
    x, y = (max(-_FARTHEST, min(_FARTHEST, round(one))) for one in point)
    return x, y


def _in_english_letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    letters = (one for one in plain if not unicodedata.combining(one))
    return "".join(one if " " <= one <= "~" else "?" for one in letters)
