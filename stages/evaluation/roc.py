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
    return bootstrap.interval(_areas(scores, is_positive), range(len(scores)), seed)


def macro_area(scores: NDArray[np.floating], truth: NDArray[np.int64]) -> float | None:
    """Return the mean area of each class against all others.

    scores: (examples, classes); for two classes this is the usual area. Classes without an example do not
    count; None if there is only one class.
    """
    mean = _macro(scores, truth)
    return None if mean is None else float(mean(np.ones((1, len(truth))))[0])


def macro_interval(
    scores: NDArray[np.floating], truth: NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of `macro_area`, which must not be None."""
    mean = _macro(scores, truth)
    if mean is None:
        raise ValueError("there is only one class")
    return bootstrap.interval(mean, range(len(truth)), seed)


def _macro(scores: NDArray[np.floating], truth: NDArray[np.int64]) -> bootstrap.Statistic | None:
    present = np.unique(truth)
    if len(present) < 2:
        return None
    if scores.shape[1] == 2:
        present = present[-1:]  # the area of the other class is the same
    found = [_areas(scores[:, at], truth == at) for at in present]

    def mean(weights: bootstrap.Weights) -> NDArray[np.float64]:
        areas: NDArray[np.float64] = np.mean([one(weights) for one in found], axis=0)
        return areas

    return mean


def _areas(scores: NDArray[np.floating], is_positive: NDArray[np.bool_]) -> bootstrap.Statistic:
    """Return the function of the weights of draws (draws, examples) that returns their areas (draws,)."""
    order = np.argsort(-scores, kind="stable")
    starts = np.r_[0, 1 + np.flatnonzero(np.diff(scores[order]))]  # the first of equal scores
    positive = is_positive[order]

    def areas(weights: bootstrap.Weights) -> NDArray[np.float64]:
        drawn = weights[:, order]
        hits = np.add.reduceat(drawn * positive, starts, axis=1)  # (draws, different scores)
        misses = np.add.reduceat(drawn * ~positive, starts, axis=1)
        above = np.cumsum(hits, 1) - hits / 2
        pairs = hits.sum(1) * misses.sum(1)
        areas = (above * misses).sum(1) / np.maximum(pairs, 1)
        return np.where(pairs > 0, areas, 0.5)  # a draw of only one kind says nothing

    return areas
