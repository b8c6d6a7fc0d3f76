"""The part of a frame that an accelerator saw, if it saw the frame itself.

An AI Camera feeds its network from the sensor, and may crop the sensor's picture differently for the
network than for the frames that it delivers. What the network finds is therefore a share of the region
that it saw, and becomes a share of the frame here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Top, left, bottom, right as shares of the frame's height and width; beyond 0 to 1 outside the frame.
Region = Tuple[float, float, float, float]
WHOLE: Region = (0.0, 0.0, 1.0, 1.0)


def boxes_in(boxes: NDArray[Any], region: Region) -> NDArray[np.float32]:
    """Return boxes (n, 4), shares of a region, as shares of the frame."""
    if region == WHOLE:
        return boxes
    corners = points_in(boxes.reshape(-1, 2, 2), region)
    return corners.reshape(-1, 4)


def points_in(points: NDArray[Any], region: Region) -> NDArray[np.float32]:
    """Return points (..., 2) as y, x, shares of a region, as shares of the frame."""
    top, left, bottom, right = region
    sides = np.float32([bottom - top, right - left])
    return np.asarray(np.float32([top, left]) + points * sides, np.float32)
