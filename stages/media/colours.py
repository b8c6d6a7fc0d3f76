"""Colours to draw with."""

from typing import Tuple

Colour = Tuple[int, int, int]  # RGB
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
