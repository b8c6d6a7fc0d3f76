"""Computes a classifier's figures from scores (pictures, classes) and true classes (pictures,)."""

import numpy as np
from numpy.typing import NDArray

BINS = 10  # of probability, 0 to 1


def log_loss(scores: NDArray[np.floating], truth: NDArray[np.int64]) -> float:
    """Return the mean negative log probability of the true class; never infinite."""
    likely = scores[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(likely, 1e-12)).mean())


def reliability(
    scores: NDArray[np.float32], truth: NDArray[np.int64]
) -> list[tuple[float, float, int]]:
    """Return the mean probability, the share of correct pictures and the number of pictures for
    each non-empty probability bin.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    highest, is_right = scores.max(1), scores.argmax(1) == truth
    bin_ = np.minimum((highest * BINS).astype(int), BINS - 1)
    return [
        (float(highest[bin_ == at].mean()), float(is_right[bin_ == at].mean()), int(count))
        for at, count in enumerate(np.bincount(bin_, minlength=BINS))
        if count
    ]


def calibration_error(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Return the expected calibration error, 0 to 1: the bins' mean gap, weighted by pictures."""
    rows = reliability(scores, truth)
    return sum(abs(mean - right) * count for mean, right, count in rows) / len(truth)


def top_k(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each k of 1 to all classes the share of pictures whose true class is among the k
    most probable: (classes,). Among equal scores, the first class wins.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = (order == truth[:, None]).argmax(1)
    return np.cumsum(np.bincount(ranks, minlength=scores.shape[1])) / len(truth)
