"""Fits the last layer to features of a frozen backbone: softmax regression with an L2 penalty that
validation chooses.

Fitting standardised features of all examples at once takes seconds and reaches a lower validation loss
than epochs of small steps. The solver is Nesterov's method with restarts (O'Donoghue, Candes, 2015).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stages.vision._course import figures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._course import Row

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01)  # from the strongest regularisation to the weakest
STEPS = 300  # maximum for one fit
SETTLED = 1e-4  # a fit ends below this maximum slope


def fit(
    features: "NDArray[np.float32]",
    classes: "NDArray[np.int64]",
    weight: "NDArray[np.float32]",
    judged: "tuple[NDArray[np.float32], NDArray[np.int64]]",
    count: int,
) -> "tuple[list[NDArray[np.float32]], Row]":
    """Return kernel (f, count) and bias (count,), and loss and accuracy on the judged features.

    features (n, f), classes (n,), weight (n,): the training data; judged: features and classes for
    choosing the penalty.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-3
    x = tf.constant(_with_one((features - mean) / spread))
    targets = tf.one_hot(classes, count)
    shares = tf.constant((weight / weight.sum())[:, None], tf.float32)
    tested = _with_one((judged[0] - mean) / spread)
    kernel, found = tf.zeros((x.shape[1], count)), []
    for penalty in PENALTIES:
        kernel = _minimum(x, targets, shares, penalty, kernel)
        scores = tf.nn.softmax(tested @ kernel.numpy()).numpy()
        found.append((figures(scores, judged[1]), kernel.numpy()))
    row, best = min(found, key=lambda one: one[0]["val_loss"])
    scaled = best[:-1] / spread[:, None]
    return [scaled, best[-1] - mean @ scaled], row


def _with_one(features: "NDArray[np.float32]") -> "NDArray[np.float32]":
    return np.pad(features, ((0, 0), (0, 1)), constant_values=1).astype(np.float32)


def _minimum(x: Any, targets: Any, shares: Any, penalty: float, start: Any) -> Any:
    """Return the kernel (f + 1, classes) with the lowest penalised loss; the last row is the bias."""
    held = np.full((x.shape[1], 1), penalty, np.float32)
    held[-1] = 0.0  # the bias is not penalised
    rate = 1 / (_curvature(x, shares) / 2 + penalty)
    kernel, ahead, momentum = start, start, 1.0
    for _ in range(STEPS):
        slope = tf.matmul(x, shares * (tf.nn.softmax(x @ ahead) - targets), transpose_a=True)
        slope += held * ahead
        moved = ahead - rate * slope
        if float(tf.reduce_max(tf.abs(slope))) < SETTLED:
            return moved
        is_uphill = float(tf.reduce_sum(slope * (moved - kernel))) > 0
        following = 1.0 if is_uphill else (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        share = 0.0 if is_uphill else (momentum - 1) / following
        ahead = moved + share * (moved - kernel)
        kernel, momentum = moved, following
    return kernel


def _curvature(x: Any, shares: Any) -> float:
    """Return the largest eigenvalue of the features' weighted covariance, by power iteration."""
    direction = tf.ones((x.shape[1], 1)) / float(x.shape[1]) ** 0.5
    size = 0.0
    for _ in range(30):
        direction = tf.matmul(x, shares * (x @ direction), transpose_a=True)
        size = float(tf.norm(direction))
        direction /= size
    return size * 1.1
