"""Evaluates decision trees, all trees and rows at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.estimators.arithmetic import ordered_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one after the other; a leaf is its own child.

    roots:        (trees,) the first node of each tree
    feature, threshold, left, right: (nodes,); a row goes left if its feature is <= threshold
    missing_left: (nodes,) whether a row whose feature is missing goes left
    leaf:         (nodes,) the row of `values` of a leaf, 0 for other nodes
    values:       (leaves, outputs)
    start:        (outputs,) to which the trees' values are added
    depth:        steps from a root to the deepest leaf
    divisor:      by which the sum is divided: the number of trees if it is a mean
    """

    roots: Integers
    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    missing_left: NDArray[np.bool_]
    leaf: Integers
    values: Floats
    start: Floats
    depth: int
    divisor: float
    outputs: int  # `values` has one column for each; boosting has a tree for each instead
    is_single: (
        bool  # features are rounded to float32 before they are compared, as scikit-learn's trees do
    )

    def __call__(self, x: Floats) -> Floats:
        """Return the outputs (rows, outputs) for rows (rows, features)."""
        if self.is_single:
            with np.errstate(over="ignore"):
                x = x.astype(np.float32).astype(np.float64)
        values = self.values[self.leaf[self._leaves(x)]]  # (rows, trees, columns)
        if values.shape[2] != self.outputs:  # the trees of a round of boosting, one for each output
            values = values.reshape(len(x), -1, self.outputs)
        start = np.broadcast_to(self.start, (len(x), 1, self.outputs))
        return ordered_sum(np.concatenate([start, values], axis=1)) / self.divisor

    def _leaves(self, x: Floats) -> Integers:
        """Return the leaf that each row reaches in each tree, (rows, trees)."""
        nodes = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        rows, missing = np.arange(len(x))[:, None], np.isnan(x)
        has_missing = bool(missing.any())
        for _ in range(self.depth):
            feature = self.feature[nodes]
            goes_left = x[rows, feature] <= self.threshold[nodes]
            if has_missing:
                goes_left = np.where(missing[rows, feature], self.missing_left[nodes], goes_left)
            nodes = np.where(goes_left, self.left[nodes], self.right[nodes])
        return nodes

    def check(self, features: int) -> None:
        """Raise StageError if an index is outside its array."""
        nodes, leaves = len(self.feature), len(self.values)
        bounds = [(self.roots, nodes), (self.left, nodes), (self.right, nodes)]
        bounds += [(self.feature, features), (self.leaf, leaves)]
        for indices, end in bounds:
            if indices.size and (indices.min() < 0 or indices.max() >= end):
                raise StageError("a tree of the model refers to something that it does not have")


def of(arrays: "dict[str, NDArray[Any]]", about: "dict[str, Any]") -> Trees:
    """Return the trees of a file's step."""
    return Trees(
        **arrays,
        depth=int(about["depth"]),
        divisor=float(about["divisor"]),
        outputs=int(about["outputs"]),
        is_single=bool(about["is_single"]),
    )
