"""The receiver operating characteristic of scores, its area, and the area's interval."""

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import bootstrap


def curve(
    scores: NDArray[np.float32], is_positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return false and true positive rates over all thresholds, from 0 to 1.

    scores: (examples,), higher for positive ones; there must be at least one example of each kind
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(scores[order])), len(order) - 1]  # the last of equal scores
    hits = np.cumsum(is_positive[order])[ends]
    misses = 1 + ends - hits
    return np.r_[0, misses / misses[-1]], np.r_[0, hits / hits[-1]]


def area(wrong: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return the area under a curve: the chance that a positive example has the higher score."""
    return float(((right[1:] + right[:-1]) / 2 * np.diff(wrong)).sum())


def area_interval(
    scores: NDArray[np.float32], is_positive: NDArray[np.bool_], seed: int = 0
) -> tuple[float, float]:
    """Return the bounds of the area's 95 % interval by bootstrap over the examples."""
    order = np.argsort(-scores, kind="stable")
    starts = np.r_[0, 1 + np.flatnonzero(np.diff(scores[order]))]  # the first of equal scores
    positive = is_positive[order]

    def areas(weights: bootstrap.Weights) -> NDArray[np.float64]:
        drawn = weights[:, order]
        hits = np.add.reduceat(drawn * positive, starts, axis=1)  # (draws, different scores)
        misses = np.add.reduceat(drawn * ~positive, starts, axis=1)
        above = np.cumsum(hits, 1) - hits / 2
        pairs = hits.sum(1) * misses.sum(1)
        return (above * misses).sum(1) / np.maximum(pairs, 1)

    return bootstrap.interval(areas, range(len(scores)), seed)
