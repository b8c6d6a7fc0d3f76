"""Draws a person's skeleton and a caption on a picture."""

from typing import Sequence

import numpy as np

from stages.media.drawing import canvas_of
from stages.tasks.keypoints.presence import MIN_SCORE
from stages.tasks.keypoints.skeletons import COCO17, bones

_LINE, _POINT = (80, 200, 80), (240, 60, 60)  # RGB


def drawn(
    picture: np.ndarray, keypoints: np.ndarray, caption: str, joints: "Sequence[str]" = COCO17
) -> np.ndarray:
    """Return a copy of an RGB picture (h, w, 3) with the visible joints and a caption."""
    canvas = canvas_of(picture)
    points = [(float(x), float(y)) for x, y in keypoints[:, :2]]
    seen = keypoints[:, 2] > MIN_SCORE
    for a, b in bones(joints):
        if seen[a] and seen[b]:
            canvas.line(points[a], points[b], _LINE)
    for point, is_seen in zip(points, seen):
        if is_seen:
            canvas.point(point, _POINT)
    canvas.caption(caption)
    return canvas.picture
