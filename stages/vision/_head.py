"""Fits the last layer to features of a frozen backbone: softmax regression, its strength by validation.

Standardised features and an L2 penalty on all examples at once reach a lower validation loss than
epochs of small steps, in seconds. The solver is Nesterov's, restarted (O'Donoghue, Candes, 2015).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stages.vision._course import figures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._course import Row

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01)  # from the simplest layer to the one that fits closest
STEPS = 300  # of a fit at most
SETTLED = 1e-4  # greatest slope at which a fit ends


def fit(
    features: "NDArray[np.float32]",
    classes: "NDArray[np.int64]",
    weight: "NDArray[np.float32]",
    judged: "tuple[NDArray[np.float32], NDArray[np.int64]]",
    count: int,
) -> "tuple[list[NDArray[np.float32]], Row]":
    """Return kernel (f, count) and bias (count,), and the loss and accuracy on the judged features.

    features (n, f), classes (n,), weight (n,): what to fit; judged: features and classes that choose
    the penalty.
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
    """Return the kernel (f + 1, classes), the bias its last row, of the least penalised loss."""
    held = np.full((x.shape[1], 1), penalty, np.float32)
    held[-1] = 0.0  # the bias is free
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
    """Return the greatest eigenvalue of the weighted covariance of the features, by iteration."""
    direction = tf.ones((x.shape[1], 1)) / float(x.shape[1]) ** 0.5
    size = 0.0
    for _ in range(30):
        direction = tf.matmul(x, shares * (x @ direction), transpose_a=True)
        size = float(tf.norm(direction))
        direction /= size
    return size * 1.1
