"""Arithmetic of object detection: box encoding, overlap and non-maximum suppression. Numpy only.

A box is (top, left, bottom, right), an anchor (centre y, centre x, height, width); both are shares of
the picture's height and width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.task import Pair, Row

SIDES = ("top", "left", "bottom", "right")  # of a box in the rows of an answer, in pixels
MOST_CANDIDATES = 1000  # enter suppression: those with the highest scores
_BLOCK = 64  # candidates whose overlaps are computed at once
_LARGEST = 8.0  # logarithm of a decoded side, relative to its anchor: avoids an overflow


@dataclass(frozen=True)
class Detections:
    """The objects found in one picture, those with the highest scores first."""

    boxes: NDArray[np.float32]  # (n, 4)
    scores: NDArray[np.float32]  # (n,)
    classes: NDArray[np.int64]  # (n,)

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, chosen: NDArray[Any]) -> Detections:
        """Return the detections with these indexes, or where a mask is true."""
        return Detections(self.boxes[chosen], self.scores[chosen], self.classes[chosen])

    def joined(self, others: Detections) -> Detections:
        """Return these detections, followed by others."""
        return Detections(
            np.concatenate([self.boxes, others.boxes]),
            np.concatenate([self.scores, others.scores]),
            np.concatenate([self.classes, others.classes]),
        )


def decode(
    offsets: NDArray[Any], anchors: NDArray[Any], scales: Sequence[float]
) -> NDArray[np.float32]:
    """Return boxes (n, 4) from a network's offsets ty, tx, th, tw (n, 4), relative to anchors (n, 4).

    scales: factors of the four offsets. Source: Ren et al., Faster R-CNN, 2015, equation 2; the scales
    are those of the box coder in the TensorFlow Object Detection API.
    """
    shares = offsets / np.asarray(scales, np.float32)
    centres = anchors[:, :2] + shares[:, :2] * anchors[:, 2:]
    halves = anchors[:, 2:] * np.exp(np.minimum(shares[:, 2:], _LARGEST)) / 2
    return np.concatenate([centres - halves, centres + halves], 1).astype(np.float32)


def encode(
    boxes: NDArray[Any], anchors: NDArray[Any], scales: Sequence[float]
) -> NDArray[np.float32]:
    """Return the offsets (n, 4) that `decode` turns into these boxes (n, 4)."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    shares = [(centres - anchors[:, :2]) / anchors[:, 2:], np.log(sides / anchors[:, 2:])]
    return (np.concatenate(shares, 1) * np.asarray(scales)).astype(np.float32)


def corners(anchors: NDArray[Any]) -> NDArray[np.float32]:
    """Return anchors (n, 4) as boxes (n, 4)."""
    halves = anchors[:, 2:] / 2
    return np.concatenate([anchors[:, :2] - halves, anchors[:, :2] + halves], 1).astype(np.float32)


def overlap(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float32]:
    """Return intersection over union (n, m) of boxes (n, 4) with others (m, 4); 0 for empty boxes."""
    sides = [
        np.minimum(boxes[:, None, end], others[None, :, end])
        - np.maximum(boxes[:, None, start], others[None, :, start])
        for start, end in ((0, 2), (1, 3))
    ]
    shared = np.maximum(sides[0], 0) * np.maximum(sides[1], 0)
    union = _areas(boxes)[:, None] + _areas(others)[None] - shared
    return (shared / np.maximum(union, 1e-12)).astype(np.float32, copy=False)


def suppress(found: Detections, iou_threshold: float, most: int) -> Detections:
    """Return at most `most` detections, without those that overlap a better one of the same class.

    iou_threshold: intersection over union above which a detection is suppressed
    """
    order = np.argsort(-found.scores, kind="stable")[:MOST_CANDIDATES]
    # Classes are moved apart, so that only boxes of the same class overlap.
    span = float(np.abs(found.boxes).max(initial=0)) + 1
    moved = found.boxes + (found.classes * 2 * span)[:, None].astype(np.float32)
    kept = order[:0]
    for first in range(0, len(order), _BLOCK):
        block = order[first : first + _BLOCK]
        hidden = (overlap(moved[block], moved[kept]) > iou_threshold).any(1)
        block = block[~hidden]
        kept = np.concatenate([kept, block[_best(moved[block], iou_threshold)]])
        if len(kept) >= most:
            break
    return found.at(kept[:most])


def _best(boxes: NDArray[Any], iou_threshold: float) -> list[int]:
    """Return the rows of the boxes that no better one suppresses; the best is the first."""
    is_same = overlap(boxes, boxes) > iou_threshold
    free, kept = np.ones(len(boxes), bool), []
    for at in range(len(boxes)):
        if free[at]:
            kept.append(at)
            free &= ~is_same[at]
    return kept


def clipped(found: Detections) -> Detections:
    """Return the detections inside the picture, clipped to it; empty boxes are dropped."""
    inside = Detections(np.clip(found.boxes, 0, 1), found.scores, found.classes)
    return inside.at(_areas(inside.boxes) > 0)


def matched(
    rows: Sequence[Row],
    expected: Sequence[Row],
    least: float,
    are_alike: Callable[[Row, Row], bool] = lambda row, wanted: True,
) -> list[Pair]:
    """Return the pairs of rows that are alike and whose boxes overlap by at least this share.

    Each row is in one pair at most; an expected row gets the free one that overlaps it most.
    """
    overlaps = overlap(_of_rows(rows), _of_rows(expected))
    free, pairs = set(range(len(rows))), []
    for column, wanted in enumerate(expected):
        same = [
            at
            for at in sorted(free)
            if overlaps[at, column] >= least and are_alike(rows[at], wanted)
        ]
        if same:
            best = max(same, key=lambda at: float(overlaps[at, column]))
            free.remove(best)
            pairs.append((rows[best], wanted))
    return pairs


def _of_rows(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Return the boxes of rows (n, 4)."""
    return np.array([[row[side] for side in SIDES] for row in rows], np.float32).reshape(-1, 4)


def _areas(boxes: NDArray[Any]) -> NDArray[Any]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides.prod(1)  # type: ignore[no-any-return]
