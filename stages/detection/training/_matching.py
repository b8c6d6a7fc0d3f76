"""Assigns anchors to the boxes of training pictures: what each anchor should predict.

Source: Liu et al., SSD, 2016, section 2.2. An anchor learns the box that it overlaps most, if by half;
and each box is learnt by at least the anchor that overlaps it most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.tasks import boxes

SAME, OTHER = (
    0.5,
    0.4,
)  # overlaps: of an object, of background; between them an anchor learns nothing


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of one picture, as shares of its sides: (n, 4), their classes and flags (n,)."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the anchors of a batch should predict."""

    classes: NDArray[np.float32]  # (n, anchors, classes): 1 for the class of an object
    weight: NDArray[np.float32]  # (n, anchors): 0 where nothing is learnt
    offsets: NDArray[np.float32]  # (n, anchors, 4)
    positive: NDArray[np.float32]  # (n, anchors): 1 if the anchor has an object


class Matcher:
    """Computes the targets of pictures for fixed anchors."""

    def __init__(self, anchors: NDArray[np.float32], classes: int, scales: Sequence[float]) -> None:
        self._anchors, self._classes, self._scales = anchors, classes, scales
        self._corners = boxes.corners(anchors)

    def batch(self, pictures: Sequence[Boxes]) -> Targets:
        """Return the targets of a batch, from the boxes of each of its pictures."""
        shape = len(pictures), len(self._anchors)
        found = Targets(
            np.zeros((*shape, self._classes), np.float32),
            np.ones(shape, np.float32),
            np.zeros((*shape, 4), np.float32),
            np.zeros(shape, np.float32),
        )
        for at, one in enumerate(pictures):
            self._match(one, at, found)
        return found

    def best(self, of: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the largest overlap of each box (n, 4) with any anchor."""
        return boxes.overlap(of, self._corners).max(1, initial=0)  # type: ignore[no-any-return]

    def _match(self, one: Boxes, at: int, to: Targets) -> None:
        learnt, skipped = one.boxes[~one.ignored], one.boxes[one.ignored]
        if len(skipped):
            to.weight[at] = boxes.overlap(self._corners, skipped).max(1) < SAME
        if not len(learnt):
            return
        ious = boxes.overlap(self._corners, learnt)  # (anchors, n)
        nearest, most = ious.argmax(1), ious.max(1)
        for box in np.argsort(ious.max(0)):  # the box with the best anchor overrides the others
            anchor = ious[:, box].argmax()
            nearest[anchor], most[anchor] = box, 1.0
        to.weight[at][most >= OTHER] = 0
        rows = np.flatnonzero(most >= SAME)
        to.weight[at][rows] = to.positive[at][rows] = 1
        to.classes[at, rows, one.classes[~one.ignored][nearest[rows]]] = 1
        to.offsets[at, rows] = boxes.encode(
            learnt[nearest[rows]], self._anchors[rows], self._scales
        )
