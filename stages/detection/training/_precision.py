"""Average precision at an overlap of 0.5, and the threshold with the best F1 score, for training.

The figures of the report are computed by a known library; these choose the epoch and the thresholds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stages.tasks import boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.detection.training._matching import Boxes
    from stages.tasks.boxes import Detections

SAME = 0.5  # overlap from which a detection is right
UNKNOWN = 0.5  # threshold of a class that no validation picture shows


def mean(found: "Sequence[Detections]", truth: "Sequence[Boxes]", classes: int) -> float:
    """Return the mean average precision over the classes that the pictures show; 0 if there is none."""
    each = [average(*marked(found, truth, kind)) for kind in range(classes)]
    shown = [one for one in each if one is not None]
    return float(np.mean(shown)) if shown else 0.0


def average(
    scores: "NDArray[np.float32]", right: "NDArray[np.bool_]", objects: int
) -> float | None:
    """Return the area under the interpolated precision-recall curve; None if there is no object."""
    if not objects:
        return None
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_later[right].sum() / objects)


def threshold(scores: "NDArray[np.float32]", right: "NDArray[np.bool_]", objects: int) -> float:
    """Return the lowest score of an answer that gives the best F1: halfway to the next lower score."""
    if not objects or not len(scores):
        return UNKNOWN
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(scores) + 1) + objects)
    best = int(f1.argmax())
    following = float(scores[best + 1]) if best + 1 < len(scores) else 0.0
    return round((float(scores[best]) + following) / 2, 4)


def marked(
    found: "Sequence[Detections]", truth: "Sequence[Boxes]", kind: int
) -> "tuple[NDArray[np.float32], NDArray[np.bool_], int]":
    """Return the scores of a class's detections (n,), the highest first, whether each is right (n,), and the
    number of objects. Detections of ignored objects are left out.
    """
    scores, right, objects = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for one, true in zip(found, truth, strict=True):
        mine = one.at(one.classes == kind)
        of_class = true.classes == kind
        wanted = true.boxes[of_class & ~true.ignored]
        hits = _hits(boxes.overlap(mine.boxes, wanted))
        skipped = boxes.overlap(mine.boxes, true.boxes[of_class & true.ignored])
        counted = hits | (skipped.max(1, initial=0) < SAME)
        scores.append(mine.scores[counted])
        right.append(hits[counted])
        objects += len(wanted)
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    return joined[order], np.concatenate(right)[order], objects


def _hits(ious: "NDArray[np.float32]") -> "NDArray[np.bool_]":
    """Return which detections (n,), the best first, are the first on their object; ious: (n, objects)."""
    free, hits = ious.copy(), np.zeros(len(ious), bool)
    if not ious.size:
        return hits
    for at in range(len(ious)):
        best = int(free[at].argmax())
        if free[at, best] >= SAME:
            hits[at] = True
            free[:, best] = 0
    return hits
