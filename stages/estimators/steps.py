"""The steps of an estimator: what is done to rows of numbers, one step after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

import numpy as np

from stages.estimators import trees
from stages.estimators.arithmetic import logistic, tanh, weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Arrays = Dict[str, NDArray[Any]]

Step = Callable[["Floats"], "Floats"]  # (rows, n) -> (rows, k)
# a step, and how many numbers it keeps in memory for one row
Kind = Callable[["Arrays", "Dict[str, Any]"], "Tuple[Step, int]"]

_NUMBERS_OF_A_TREE = 16  # nodes, features, thresholds and comparisons of a row

ACTIVATIONS: "Dict[str, Step]" = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "logistic": logistic,
    "tanh": tanh,
}


def _impute(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    values = arrays["values"]  # (n,)
    return lambda x: np.where(np.isnan(x), values, x), len(values)


def _standardise(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    mean, scale = arrays["mean"], arrays["scale"]
    return lambda x: (x - mean) / scale, len(mean)


def _stretch(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    factor, offset = arrays["factor"], arrays["offset"]
    low, high = about["low"], about["high"]  # null: not clipped

    def step(x: "Floats") -> "Floats":
        stretched: Floats = x * factor + offset
        return stretched if low is None else np.clip(stretched, low, high)

    return step, len(factor)


def _dense(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    weights, bias = arrays["weights"], arrays["bias"]  # (n, k), (k,)
    activation = ACTIVATIONS[about["activation"]]
    return lambda x: activation(weighted(x, weights) + bias), weights.size


def _against_zero(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    """Give the first of two classes the score 0, so that the second one wins if its own is positive."""
    return lambda x: np.concatenate([np.zeros_like(x), x], axis=1), 1


def _trees(arrays: "Arrays", about: "Dict[str, Any]") -> "Tuple[Step, int]":
    found = trees.of(arrays, about)
    found.check(int(about["features"]))
    return found, _NUMBERS_OF_A_TREE * len(found.roots) + int(about["features"])


KINDS: "Dict[str, Kind]" = {
    "impute": _impute,
    "standardise": _standardise,
    "stretch": _stretch,
    "dense": _dense,
    "against_zero": _against_zero,
    "trees": _trees,
}
