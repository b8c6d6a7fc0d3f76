"""Prepares pictures for BlazeFace and decodes its outputs into faces with landmarks. Numpy and
`stages.media.scaling`.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The
anchors and the decoding are those of MediaPipe's short-range model: two anchors in each cell of a 16 x 16
grid, then six in each cell of an 8 x 8 grid, all of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from stages.tasks import boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 128  # of the network's input, in pixels; its outputs have the same unit
BOXES, SCORES = "regressors", "classificators"
ANCHORS = 896
VALUES = 16  # centre, size and six landmarks
# Shares of the longer side: a face that fills the picture is found with the first one, a small one with the
# second one.
MARGINS = (0.25, 0.0)
MEAN, DEVIATION = 127.5, 127.5  # of a pixel
LEAST_SCORE = 0.5
_OVERLAP = 0.3  # from which two boxes are the same face; MediaPipe's value
_MOST_LOGIT = 80.0  # avoids an overflow


@dataclass(frozen=True)
class Found:
    """The faces in a picture, the largest first."""

    boxes: NDArray[np.float32]  # (n, 4) top, left, bottom, right in pixels of the picture
    scores: NDArray[np.float32]  # (n,)
    landmarks: NDArray[
        np.float32
    ]  # (n, 6, 2) eyes, nose, mouth, ears: x, y in pixels of the picture

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Framed:
    """A picture in a black square with a margin, in the network's form."""

    values: NDArray[np.float32]  # (1, SIDE, SIDE, 3)
    side: float  # of the square, in pixels of the picture
    corner: NDArray[np.float32]  # (2,) x and y of the square's corner in the picture


def framed(picture: NDArray[np.uint8], margin: float) -> Framed:
    """Return an RGB picture (h, w, 3) in a square that is `margin` longer at each end."""
    from stages.media.scaling import resized

    height, width = picture.shape[:2]
    side = max(height, width) * (1 + 2 * margin)
    wide, high = (max(1, round(one * SIDE / side)) for one in (width, height))
    left, top = (SIDE - wide) // 2, (SIDE - high) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[top : top + high, left : left + wide] = resized(
        np.ascontiguousarray(picture), wide, high
    )
    values = (square.astype(np.float32) - MEAN) / DEVIATION
    corner = -np.array([left * width / wide, top * height / high], np.float32)
    return Framed(values[None], side, corner)


def decode(outputs: Mapping[str, NDArray[Any]], frame: Framed) -> Found:
    """Return the faces of one picture.

    outputs: boxes (1, 896, 16) and scores (1, 896, 1) by name. Overlapping detections of a face are
    averaged, weighted by score, as MediaPipe does: the landmarks are then steadier.
    """
    logits = np.clip(outputs[SCORES][0, :, 0], -_MOST_LOGIT, _MOST_LOGIT)
    scores = 1 / (1 + np.exp(-logits))
    chosen = np.flatnonzero(scores >= LEAST_SCORE)
    values = outputs[BOXES][0, chosen].astype(np.float32).reshape(-1, 8, 2) / SIDE  # shares
    points = values + _anchors()[chosen][:, None]
    points[:, 1] = values[:, 1]  # the size is not relative to the anchor
    picked, points = scores[chosen].astype(np.float32), points.astype(np.float32)
    faces = [_mean(points, picked, together) for together in _groups(points, picked)]
    return _in_picture(faces, frame)


def joined(faces: Found, others: Found) -> Found:
    """Return the faces, the largest first, with those of the others whose centre is in none of them."""
    centres = (others.boxes[:, :2] + others.boxes[:, 2:]) / 2
    after = (faces.boxes[:, None, :2] <= centres).all(-1)
    before = (centres <= faces.boxes[:, None, 2:]).all(-1)
    is_new = ~(after & before).any(0)
    both = [
        np.concatenate([getattr(faces, name), getattr(others, name)[is_new]])
        for name in ("boxes", "scores", "landmarks")
    ]
    sides = both[0][:, 2:] - both[0][:, :2]
    order = np.argsort(-sides.prod(1), kind="stable")
    return Found(*(one[order] for one in both))


@lru_cache(maxsize=1)
def _anchors() -> NDArray[np.float32]:
    """Return the centres of the anchors (896, 2), x and y, as shares of the input's side."""
    grids = []
    for cells, each in ((16, 2), (8, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
        grids.append(np.repeat(grid, each, 0))
    return np.concatenate(grids).astype(np.float32)


def _groups(points: NDArray[np.float32], scores: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    """Return the detections of each face, those of the surest face first."""
    corners = _corners(points)
    left, found = np.argsort(-scores, kind="stable"), []
    while len(left):
        is_same = boxes.overlap(corners[left[:1]], corners[left])[0] > _OVERLAP
        is_same[0] = True
        found.append(left[is_same])
        left = left[~is_same]
    return found


def _corners(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return top, left, bottom, right (n, 4) of decoded values (n, 8, 2)."""
    centres, halves = points[:, 0, ::-1], points[:, 1, ::-1] / 2
    return np.concatenate([centres - halves, centres + halves], 1)


def _mean(
    points: NDArray[np.float32], scores: NDArray[np.float32], together: NDArray[np.intp]
) -> tuple[float, NDArray[np.float32]]:
    weights = scores[together] / scores[together].sum()
    return float(scores[together].max()), (points[together] * weights[:, None, None]).sum(0)


def _in_picture(faces: list[tuple[float, NDArray[np.float32]]], frame: Framed) -> Found:
    points = np.array([one for _, one in faces], np.float32).reshape(-1, 8, 2) * frame.side
    scores = np.array([score for score, _ in faces], np.float32)
    shift = np.ones(8, np.float32)
    shift[1] = 0  # the size
    points += shift[:, None] * frame.corner
    order = np.argsort(-points[:, 1].prod(1), kind="stable")
    return Found(_corners(points)[order], scores[order], points[order, 2:])
