"""Draws the skeleton and the activity on a frame."""

import numpy as np

from stages.media.drawing import Canvas
from stages.pose._skeletons import COCO17, bones

MIN_SCORE = 0.2
_LINE, _POINT = (80, 200, 80), (240, 60, 60)  # RGB


def drawn(frame: np.ndarray, keypoints: np.ndarray, caption: str) -> np.ndarray:
    """Return a copy of an RGB frame (h, w, 3) with the joints that are seen and a caption."""
    canvas = Canvas(frame)
    points = [(float(x), float(y)) for x, y in keypoints[:, :2]]
    seen = keypoints[:, 2] > MIN_SCORE
    for a, b in bones(COCO17):
        if seen[a] and seen[b]:
            canvas.line(points[a], points[b], _LINE)
    for point, is_seen in zip(points, seen, strict=True):
        if is_seen:
            canvas.point(point, _POINT)
    canvas.caption(caption)
    return canvas.picture
