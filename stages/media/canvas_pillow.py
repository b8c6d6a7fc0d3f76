"""Draws lines, points, boxes and text of any script with Pillow."""

import numpy as np
from PIL import Image, ImageDraw

from stages.media import fonts
from stages.media.colours import BLACK, WHITE, Colour


class PillowCanvas:
    """A copy of an RGB picture (h, w, 3) to draw on; `unit` is the line width in pixels."""

    def __init__(self, picture: np.ndarray) -> None:
        self._image = Image.fromarray(np.ascontiguousarray(picture))
        self._draw = ImageDraw.Draw(self._image)
        self.unit = max(1, round(max(self._image.size) / 250))

    @property
    def picture(self) -> np.ndarray:
        """Return the current picture: (h, w, 3) uint8, RGB."""
        return np.asarray(self._image)

    def line(
        self, start: "tuple[float, float]", end: "tuple[float, float]", colour: Colour
    ) -> None:
        """Draw a line between two points in pixels, x and y."""
        self._draw.line([start, end], fill=colour, width=self.unit)

    def point(self, centre: "tuple[float, float]", colour: Colour) -> None:
        """Draw a disc that is slightly wider than a line."""
        self._draw.circle(centre, self.unit + 1, fill=colour)

    def box(self, corners: "tuple[float, float, float, float]", colour: Colour) -> None:
        """Draw the outline of left, top, right, bottom, in pixels."""
        left, top, right, bottom = corners
        ordered = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        self._draw.rectangle(ordered, outline=colour, width=self.unit)

    def text(self, place: "tuple[float, float]", text: str, size: "int | None" = None) -> None:
        """Write white text with a black outline; `place` is the left end of its baseline, in pixels.

        size: of the font, in pixels; the default is legible at the picture's size. Text that would end
        outside the picture is moved to the left; if it is wider than the picture, it is written smaller.
        """
        x, y = place
        room = self._image.width - 4 * self.unit
        size = self._fitting(text, size or 10 + 6 * self.unit, room)
        width = sum(font.getlength(piece) for font, piece in fonts.runs(text, size))
        x = min(x, max(2 * self.unit, self._image.width - 2 * self.unit - width))
        for font, piece in fonts.runs(text, size):
            self._draw.text(
                (x, y), piece, WHITE, font, anchor="ls", stroke_width=self.unit, stroke_fill=BLACK
            )
            x += font.getlength(piece)

    def caption(self, text: str) -> None:
        """Write the text at the bottom left."""
        self.text((4 * self.unit, self._image.height - 6 * self.unit), text)

    def _fitting(self, text: str, size: int, room: float) -> int:
        """Return the size, or a smaller one at which the text fits the width."""
        width = sum(font.getlength(piece) for font, piece in fonts.runs(text, size))
        return size if width <= room else max(4, int(size * room / width))
