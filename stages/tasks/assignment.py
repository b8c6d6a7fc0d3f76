"""Pairs rows with columns so that the sum of their weights is largest. Numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = NDArray[np.float64]

Pair = Tuple[int, int]


def assigned(weights: NDArray[Any]) -> List[Pair]:
    """Return the pairs of row and column with the largest sum of weights (n, m), each in one pair at
    most. A weight of 0 forbids a pair.
    """
    allowed = weights > 0
    is_clear = allowed & (allowed.sum(1, keepdims=True) == 1) & (allowed.sum(0) == 1)
    pairs = [(int(row), int(column)) for row, column in zip(*np.nonzero(is_clear))]
    allowed &= ~is_clear
    rows, columns = np.flatnonzero(allowed.any(1)), np.flatnonzero(allowed.any(0))
    if len(rows):
        part = np.where(allowed, weights, 0.0)[np.ix_(rows, columns)]
        pairs += [(int(rows[row]), int(columns[column])) for row, column in _of_part(part)]
    return sorted(pairs)


def _of_part(weights: Weights) -> List[Pair]:
    if weights.shape[0] > weights.shape[1]:
        return [(row, column) for column, row in _of_part(weights.T)]
    columns = _columns(-weights)
    return [(row, column) for row, column in enumerate(columns) if weights[row, column] > 0]


def _columns(costs: Weights) -> List[int]:
    """Return the column of each row with the lowest sum of costs (n, m), where n <= m.

    Source: the Hungarian method with shortest augmenting paths (Jonker and Volgenant 1987). Row and
    column 0 of the arrays are the start of a path.
    """
    count, width = costs.shape
    row_price, column_price = np.zeros(count + 1), np.zeros(width + 1)
    row_of = np.zeros(width + 1, int)
    for row in range(1, count + 1):
        row_of[0], column = row, 0
        shortest, before = np.full(width + 1, np.inf), np.zeros(width + 1, int)
        is_done = np.zeros(width + 1, bool)
        while row_of[column]:
            is_done[column] = True
            left = np.flatnonzero(~is_done[1:]) + 1
            reduced = costs[row_of[column] - 1, left - 1] - row_price[row_of[column]]
            reduced -= column_price[left]
            nearer = reduced < shortest[left]
            shortest[left[nearer]], before[left[nearer]] = reduced[nearer], column
            best = left[int(shortest[left].argmin())]
            step = shortest[best]
            row_price[row_of[is_done]] += step
            column_price[is_done] -= step
            shortest[left] -= step
            column = int(best)
        while column:
            previous = int(before[column])
            row_of[column], column = row_of[previous], previous
    found = [0] * count
    for column in range(1, width + 1):
        if row_of[column]:
            found[row_of[column] - 1] = column - 1
    return found
