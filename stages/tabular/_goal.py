"""What the network learns from the target: classes, or the distribution of a number over levels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.tasks.columns.decision import CLASSIFY, LEVELS, REGRESS, Decision
from stages.tasks.head import softmax

MOST_VALUES = 32  # of a number, each of which is a level
BETWEEN = 64  # levels of a number with more values
INPUT_DROPOUT = 0.1  # of classes, of numbers with few values, such as grades, and of small tables
MANY_ROWS = 1000  # for training; a small table is better off with it


@dataclass(frozen=True)
class Goal:
    """The decision that the model's output stands for, and what it should be for each row.

    targets: (rows, outputs) probabilities
    truth:   (rows,) numbers of classes, or numbers
    """

    decision: Decision
    targets: NDArray[np.float32]
    truth: NDArray[Any]

    @property
    def chosen_by(self) -> str:
        """The figure, lower for better models, by which an epoch is chosen."""
        return "val_loss" if self.decision.task == CLASSIFY else "val_mad"

    def input_dropout(self, rows: int) -> float:
        """Return the share of a row's values that a step should drop, with this many training rows.

        A number with many values, such as a price, may depend on small differences of the inputs.
        """
        return 0.0 if self.decision.between and rows >= MANY_ROWS else INPUT_DROPOUT

    def figures(self, logits: NDArray[Any], rows: NDArray[np.int64]) -> dict[str, float]:
        """Return the validation figures of logits (n, outputs) for these rows (n,)."""
        judged = self.decision.judge(logits)
        truth = self.truth[rows]
        if self.decision.task == REGRESS:
            return {"val_mad": float(np.abs(judged.values - truth).mean())}
        right = softmax(logits.astype(np.float64))[np.arange(len(rows)), truth]
        return {
            "val_loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
            "val_accuracy": float((judged.values == truth).mean()),
        }


def of_classes(target: str, truth: NDArray[np.int64], classes: int) -> Goal:
    """Return the goal of naming the class."""
    return Goal(Decision(target, CLASSIFY), np.eye(classes, dtype=np.float32)[truth], truth)


def of_numbers(target: str, truth: NDArray[np.float64]) -> Goal:
    """Return the goal of naming the number, from its distribution over levels.

    The median of a distribution has the least absolute error. The levels are the number's values if they
    are few, otherwise quantiles, and a number between two of them is a share of both.
    """
    values = np.unique(truth)
    if is_between := len(values) > MOST_VALUES:
        values = np.unique(np.quantile(truth, np.linspace(0, 1, BETWEEN)))
    levels = tuple(values.tolist())
    decision = Decision(target, REGRESS, LEVELS, levels, between=is_between)
    return Goal(decision, _shares(truth, values), truth)


def _shares(truth: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the shares of the levels (rows, levels): of the two on both sides of the number."""
    below = np.clip(np.searchsorted(levels, truth, "right") - 1, 0, len(levels) - 2)
    share = (truth - levels[below]) / (levels[below + 1] - levels[below])
    found = np.zeros((len(truth), len(levels)), np.float32)
    found[np.arange(len(truth)), below] = 1 - share
    found[np.arange(len(truth)), below + 1] += share
    return found
