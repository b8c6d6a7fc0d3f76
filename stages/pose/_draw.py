"""Draws the skeleton and the activity on frames, and writes them as a video or as pictures."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from stages.pose._skeletons import COCO17, bones

MIN_SCORE = 0.2
_LINE, _POINT, _TEXT, _SHADE = (80, 200, 80), (60, 60, 240), (255, 255, 255), (0, 0, 0)  # BGR


def drawn(frame: np.ndarray, keypoints: np.ndarray, caption: str) -> np.ndarray:
    """Return a BGR copy of an RGB frame (h, w, 3) with the joints that are seen and a caption."""
    canvas = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    width = max(1, round(max(canvas.shape[:2]) / 250))
    points = [tuple(round(float(value)) for value in point[:2]) for point in keypoints]
    seen = keypoints[:, 2] > MIN_SCORE
    for a, b in bones(COCO17):
        if seen[a] and seen[b]:
            cv2.line(canvas, points[a], points[b], _LINE, width, cv2.LINE_AA)
    for point, is_seen in zip(points, seen, strict=True):
        if is_seen:
            cv2.circle(canvas, point, width + 1, _POINT, -1, cv2.LINE_AA)
    for colour, weight in ((_SHADE, 3 * width), (_TEXT, width)):
        place = (4 * width, canvas.shape[0] - 6 * width)
        cv2.putText(
            canvas,
            caption,
            place,
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5 * width,
            colour,
            weight,
            cv2.LINE_AA,
        )
    return canvas


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write BGR frames of one size as an MP4."""
    writer: cv2.VideoWriter | None = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
        writer.write(frame)
    if writer is not None:
        writer.release()


def write_picture(path: Path, frame: np.ndarray) -> None:
    """Write a BGR frame as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", frame)[1].tobytes())
