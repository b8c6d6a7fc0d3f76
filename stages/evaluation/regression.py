"""Figures of predicted numbers, with their intervals."""

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import bootstrap

Values = NDArray[np.float64]


def errors(truth: Values, predicted: Values) -> dict[str, float]:
    """Return the figures of predictions (examples,), in the unit of the truth.

    mad, the mean absolute deviation, with its 95 % interval; rmse; and r2, the share of the variance that
    is explained, which is missing if all true numbers are equal.
    """
    wrong = predicted - truth
    low, high = mad_interval(wrong)
    found = {
        "mad": float(np.abs(wrong).mean()),
        "mad_low": low,
        "mad_high": high,
        "rmse": float(np.sqrt(np.square(wrong).mean())),
    }
    if spread := float(np.square(truth - truth.mean()).sum()):
        found["r2"] = 1 - float(np.square(wrong).sum()) / spread
    return found


def mad_interval(wrong: Values) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the mean absolute value, by bootstrap over the examples."""
    return bootstrap.mean_interval(np.abs(wrong))
