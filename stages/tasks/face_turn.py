"""Estimates how far a face is turned to the side, from BlazeFace's landmarks. Numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOSE, EARS = 2, (4, 5)
# In an adult's head, the ears are about 145 mm apart, and the tip of the nose is about 120 mm in front of
# them.
_PROPORTION = 145 / 120


def turn(landmarks: NDArray[Any]) -> float:
    """Return the angle in degrees: 0 in front, positive if the nose points to the picture's right.

    landmarks: (6, 2) x and y of eyes, nose, mouth and ears. The nose's place between the ears tells the
    angle, also of an inclined head. Apart from perspective, it does not change if a flat picture is turned.
    """
    left, right = landmarks[EARS[0]], landmarks[EARS[1]]
    across = right - left
    width = max(float(np.hypot(*across)), 1e-9)
    aside = float((landmarks[NOSE] - (left + right) / 2) @ across) / width
    return float(np.degrees(np.arctan(aside / width * _PROPORTION)))
