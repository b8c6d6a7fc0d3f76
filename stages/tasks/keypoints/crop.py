"""Tracks the person: computes the square of a frame that MoveNet gets from the keypoints of the previous
frame.

The rule is that of the MoveNet tutorial (tensorflow.org/hub/tutorials/movenet): a square around the
hips, wide enough for 1.9 torsos and 1.2 bodies; the whole frame if no torso is seen. Squares are in
pixels and may extend beyond the frame.
"""

from typing import NamedTuple

import numpy as np

from stages.media.scaling import resized

MIN_SCORE = 0.2
TORSO_MARGIN = 1.9
BODY_MARGIN = 1.2

_SHOULDERS = (5, 6)
_HIPS = (11, 12)


class Square(NamedTuple):
    """A square in a frame: its corner and its side, in pixels."""

    x: float
    y: float
    side: float

    def scaled(self, factor: float) -> "Square":
        """Return the square scaled by a factor about its centre."""
        move = self.side * (1 - factor) / 2
        return Square(self.x + move, self.y + move, self.side * factor)


def whole(width: int, height: int) -> Square:
    """Return the smallest square that contains the whole frame, centred on it."""
    side = max(width, height)
    return Square((width - side) / 2, (height - side) / 2, side)


def around(keypoints: np.ndarray, width: int, height: int) -> Square:
    """Return the square around a person with these (17, 3) keypoints, in pixels, and scores.

    The whole frame if no person is found.
    """
    score = keypoints[:, 2]
    if not (
        any(score[i] > MIN_SCORE for i in _HIPS) and any(score[i] > MIN_SCORE for i in _SHOULDERS)
    ):
        return whole(width, height)
    points = keypoints[:, :2]
    centre = points[list(_HIPS)].mean(axis=0)
    torso = np.abs(points[list(_SHOULDERS + _HIPS)] - centre).max()
    body = np.abs(points[score > MIN_SCORE] - centre).max()
    edge = max(centre[0], width - centre[0], centre[1], height - centre[1])
    half = float(min(max(torso * TORSO_MARGIN, body * BODY_MARGIN), edge))
    if half > max(width, height) / 2 or half < 1:
        return whole(width, height)
    return Square(float(centre[0]) - half, float(centre[1]) - half, 2 * half)


def cut(picture: np.ndarray, square: Square, size: int) -> np.ndarray:
    """Return the square of an (h, w, 3) picture as (size, size, 3).

    Areas outside the picture are black.
    """
    side = max(1, round(square.side))
    x, y = round(square.x), round(square.y)
    height, width = picture.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if (right - left, bottom - top) == (side, side):
        return resized(picture[top:bottom, left:right], size, size)
    piece = np.zeros((side, side, 3), np.uint8)
    if right > left and bottom > top:
        piece[top - y : bottom - y, left - x : right - x] = picture[top:bottom, left:right]
    return resized(piece, size, size)
