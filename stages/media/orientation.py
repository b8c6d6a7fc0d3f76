"""Rotates and mirrors stored frames so that they are upright.

A container stores a 3 x 3 display matrix (ISO/IEC 14496-12, tkhd). Players rotate only by quarter turns,
so any other angle is rounded to the nearest one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """Transpose first, then mirror."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """Return an (h, w, 3) picture rotated upright, in contiguous memory."""
        if self == UPRIGHT:
            return picture
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        if self.mirrored_x:
            picture = picture[:, ::-1]
        if self.mirrored_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation()
_TURNS = (
    UPRIGHT,
    Orientation(True, True, False),
    Orientation(False, True, True),
    Orientation(True, False, True),
)


def of_matrix(matrix: Sequence[int]) -> Orientation:
    """Return the orientation of a display matrix (a, b, u, c, d, v, x, y, w).

    It maps a stored point (p, q) to x = a p + c q and y = b p + d q.
    """
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def of_clockwise_degrees(degrees: float) -> Orientation:
    """Return the orientation of a clockwise rotation, rounded to a quarter turn."""
    return _TURNS[round(degrees / 90) % 4]


def of_yaw_and_roll(yaw: float, roll: float) -> Orientation:
    """Return the orientation of Matroska's angles: mirrored by a yaw of 180, then rotated to the left."""
    if round(yaw / 180) % 2 == 0:
        return of_clockwise_degrees(-roll)
    turned = of_clockwise_degrees(roll)
    return turned._replace(mirrored_x=not turned.mirrored_x)
