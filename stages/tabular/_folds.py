"""Divides the rows into folds: each member of the ensemble is judged on the fold that it has not learnt."""

import numpy as np
from numpy.typing import NDArray

FOLDS = 8


def folds(
    rows: NDArray[np.uint8], truth: NDArray[np.number], most: int, seed: int
) -> NDArray[np.int64]:
    """Return the fold of each row (rows,): equal rows are in one, and each has a like share of the truth.

    rows: (rows, size); there are as many folds as different rows, if these are fewer than `most`
    """
    _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    chance = np.random.default_rng([seed, 0])
    order = np.lexsort((chance.random(len(first)), truth[first]))  # by truth, then at random
    count = min(most, len(first))
    fold = np.zeros(len(first), np.int64)
    for start in range(0, len(order), count):
        part = order[start : start + count]
        fold[part] = chance.permutation(count)[: len(part)]
    found: NDArray[np.int64] = fold[group.reshape(-1)]
    return found
