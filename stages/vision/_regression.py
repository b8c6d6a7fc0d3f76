"""Softmax regression by accelerated gradient descent; some columns can be fixed. Needs only numpy.

Sources: Nesterov 1983, with the momentum of Beck and Teboulle's FISTA (2009); the bound on the
curvature of the softmax, 1/2, is Boehning's (1992).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.tasks.head import Head, softmax, unit_length
from stages.vision import _truth

if TYPE_CHECKING:
    from stages.vision._embeddings import Embeddings, Learning
    from stages.vision._packed import Packed

STRENGTHS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
BIAS_RATE = 2.0  # 1 / curvature of the loss along a bias
EVERY = 10  # steps between two validations
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """The training data for the columns of the new classes.

    x is centred at `mean` and given in the coordinates of `basis`: if there are fewer pictures than
    values, the pictures span a smaller space, and descent from zero never leaves it.
    """

    x: Values  # (pictures, rank)
    target: Values  # (pictures, classes): 1 for the true class
    weight: Values  # (pictures, 1), sum 1
    fixed: Values  # (pictures, kept): logits of the kept classes
    held: Values  # (validation pictures, rank), as x
    held_classes: NDArray[np.int64]
    held_fixed: Values  # (validation pictures, kept)
    mean: Values  # (size,)
    basis: Values  # (size, rank), orthonormal


@dataclass(frozen=True)
class Columns:
    """The columns of the new classes, in the coordinates of the problem."""

    weights: Values  # (rank, new classes)
    bias: Values  # (new classes,)

    def layer(self, given: Problem) -> Head:
        """Return the columns in the coordinates of the embeddings."""
        weights = given.basis @ self.weights  # (size, new classes)
        bias = self.bias - given.mean @ weights
        return Head(weights.T.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True)
class Found:
    """The best step of a descent, by its loss on validation."""

    loss: float
    l2: float
    steps: int
    columns: Columns


def problem(learning: "Learning", learnt: "Embeddings", packed: "Packed | None") -> Problem:
    """Return the problem of learning the new classes from these embeddings.

    Kept classes without a picture are represented by their mean.
    """
    x, classes = learnt.x, learnt.classes
    if packed:
        absent = np.setdiff1d(np.arange(learning.kept), classes)
        x = np.concatenate([x, unit_length(packed.means[absent])])
        classes = np.concatenate([classes, absent])
    counts = np.bincount(classes, minlength=len(learning.labels))
    weight = 1 / (len(counts) * counts[classes].astype(np.float64))
    mean = weight @ x.astype(np.float64)
    centred, held = x - mean, learning.held.x
    basis = np.linalg.qr(centred.T)[0] if len(x) < len(mean) else np.eye(len(mean))

    def fixed(rows: NDArray[np.float32]) -> Values:
        if packed is None:
            return np.zeros((len(rows), 0))
        return (rows @ packed.layer.weights.T + packed.layer.bias).astype(np.float64)

    return Problem(
        centred @ basis,
        np.eye(len(counts))[classes],
        weight[:, None],
        fixed(x),
        (held - mean) @ basis,
        learning.held.classes,
        fixed(held),
        mean,
        basis,
    )


def descend(given: Problem, l2: float, most_steps: int, patience: int) -> Found:
    """Return the step with the lowest validation loss, checked every tenth step."""
    best: Found | None = None
    for at, columns in enumerate(islice(_steps(given, l2), most_steps), 1):
        if at % EVERY and at < most_steps:
            continue
        scores = _probabilities(given.held, columns, given.held_fixed)
        loss = _truth.log_loss(scores, given.held_classes)
        if best is None or loss < best.loss:
            best = Found(loss, l2, at, columns)
        elif at - best.steps >= patience:
            break
    assert best is not None
    return best


def repeat(given: Problem, found: Found) -> Columns:
    """Return the columns after the same number of steps with the same penalty, on other embeddings."""
    return next(islice(_steps(given, found.l2), found.steps - 1, None))


def _steps(given: Problem, l2: float) -> Iterator[Columns]:
    """Yield the columns after each step, endlessly."""
    kept = given.fixed.shape[1]
    weights = before_w = np.zeros((given.x.shape[1], given.target.shape[1] - kept))
    bias = before_b = np.zeros(weights.shape[1])
    rate = 1 / (_curvature(given) + l2)
    for at in count():
        momentum = at / (at + 3)
        ahead = Columns(
            weights + momentum * (weights - before_w), bias + momentum * (bias - before_b)
        )
        error = _probabilities(given.x, ahead, given.fixed) - given.target  # (pictures, classes)
        error = (given.weight * error)[:, kept:]
        before_w, before_b = weights, bias
        weights = ahead.weights - rate * (given.x.T @ error + l2 * ahead.weights)
        bias = ahead.bias - BIAS_RATE * error.sum(0)
        yield Columns(weights, bias)


def _curvature(given: Problem) -> float:
    """Return a bound on the curvature of the loss: half the largest eigenvalue of the covariance."""
    rows = np.sqrt(given.weight) * given.x
    square = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    return max(float(np.linalg.eigvalsh(square)[-1]) / 2, 1e-9)


def _probabilities(x: Values, columns: Columns, fixed: Values) -> Values:
    logits = x @ columns.weights + columns.bias
    return softmax(np.concatenate([fixed, logits], axis=1))
