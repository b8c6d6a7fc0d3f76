"""Counts of right and wrong detections above a threshold of the score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stages.detection.evaluation._average_precision import Evaluation

STEPS = np.linspace(0.01, 0.99, 99)  # thresholds


@dataclass(frozen=True)
class Counts:
    """Of one class or all: matched detections, detections, and true boxes; numbers or arrays of them."""

    right: "NDArray[np.int64]"
    detected: "NDArray[np.int64]"
    wanted: int

    @property
    def precision(self) -> "NDArray[np.float64]":
        """Return the share of detections that are right; NaN without detections."""
        return np.where(self.detected > 0, self.right / np.maximum(self.detected, 1), np.nan)

    @property
    def recall(self) -> "NDArray[np.float64]":
        """Return the share of true boxes that are found; NaN without true boxes."""
        return self.right / self.wanted if self.wanted else np.full(np.shape(self.right), np.nan)

    @property
    def f1(self) -> "NDArray[np.float64]":
        """Return the harmonic mean of precision and recall; 0 if nothing is right."""
        return 2 * self.right / np.maximum(self.detected + self.wanted, 1)


def counts(found: "Evaluation", at: int, thresholds: "ArrayLike") -> Counts:
    """Return the counts of a class at one threshold, or for each of several."""
    scores, is_hit, _ = found.hits(at)
    detected = np.searchsorted(-scores, -np.asarray(thresholds, np.float32), side="right")
    right = np.append(0, np.cumsum(is_hit))[detected]
    return Counts(right, detected, int(found.wanted(at).sum()))


def all_counts(found: "Evaluation", thresholds: "NDArray[np.float32]") -> Counts:
    """Return the counts of all classes together; thresholds: (classes,)."""
    each = [counts(found, at, threshold) for at, threshold in enumerate(thresholds)]
    return Counts(
        np.array(sum(int(one.right) for one in each)),
        np.array(sum(int(one.detected) for one in each)),
        sum(one.wanted for one in each),
    )
