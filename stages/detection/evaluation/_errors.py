"""The kinds of error of a detector, as a person can name them.

Source: D. Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020,
with its overlaps of 0.5 for a match and 0.1 for background.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.tasks.boxes import overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.detection.evaluation._average_precision import Evaluation

MATCH, BACKGROUND = 0.5, 0.1  # intersection over union
KINDS = {
    "wrong_class": "overlaps a true box of another class by at least 0.5",
    "poor_overlap": "overlaps a true box of its class by 0.1 to 0.5",
    "both": "overlaps a true box of another class by 0.1 to 0.5",
    "duplicate": "a better detection matches the same true box",
    "background": "overlaps no true box by 0.1",
    "missed": "a true box that no detection above matches or nearly matches",
}


def named(kind: str) -> str:
    """Return the name of a kind, for a person."""
    return "wrong class and overlap" if kind == "both" else kind.replace("_", " ")


@dataclass(frozen=True)
class Errors:
    """What is wrong at the packaged thresholds, by kind: rows of detections, or of missed true boxes."""

    rows: "dict[str, NDArray[np.int64]]"
    shown: "NDArray[np.int64]"  # rows of the detections above their thresholds
    unmatched: "NDArray[np.int64]"  # rows of the true boxes that no shown detection matches

    def count(self, kind: str) -> int:
        return len(self.rows[kind])


def find(found: "Evaluation", thresholds: "NDArray[np.float32]") -> Errors:
    """Return the errors of the detections above the thresholds (classes,)."""
    above = found.found.scores >= thresholds[found.found.classes]
    shown = np.flatnonzero(above & ~found.ignored)
    right = shown[found.matched[shown] >= 0]
    is_matched = np.zeros(len(found.truth.classes), bool)
    is_matched[found.matched[right]] = True
    rows: dict[str, list[int]] = {kind: [] for kind in KINDS}
    explained = set()
    for row in np.setdiff1d(shown, right):
        kind, true = _kind(found, int(row), is_matched)
        rows[kind].append(int(row))
        if kind in ("wrong_class", "poor_overlap"):
            explained.add(true)
    unmatched = np.flatnonzero(~is_matched & ~found.truth.ignored)
    rows["missed"] = [int(row) for row in unmatched if int(row) not in explained]
    return Errors({kind: np.array(one, np.int64) for kind, one in rows.items()}, shown, unmatched)


def _kind(found: "Evaluation", row: int, is_matched: "NDArray[np.bool_]") -> tuple[str, int]:
    """Return the kind of a wrong detection, and the true box that it is nearest to, or -1."""
    truth = found.truth
    near = np.flatnonzero((truth.pictures == found.found.pictures[row]) & ~truth.ignored)
    if not len(near):
        return "background", -1
    ious = overlap(found.found.boxes[row : row + 1], truth.boxes[near])[0]
    is_own = truth.classes[near] == found.found.classes[row]
    own, other = np.where(is_own, ious, 0.0), np.where(is_own, 0.0, ious)
    nearest_own, nearest_other = int(near[own.argmax()]), int(near[other.argmax()])
    if own.max() >= MATCH and is_matched[nearest_own]:
        return "duplicate", nearest_own
    if own.max() >= BACKGROUND:
        return "poor_overlap", nearest_own
    if other.max() >= MATCH:
        return "wrong_class", nearest_other
    if other.max() >= BACKGROUND:
        return "both", nearest_other
    return "background", -1
