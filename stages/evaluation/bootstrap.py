"""Confidence intervals by bootstrap: the uncertainty of a figure that comes from a small test part.

Percentile method: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics
7(1), 1979; B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 2_000
LEVEL = 0.95
FEWEST_GROUPS = 5  # with fewer groups, their spread says little
_MOST_CELLS = 4_000_000  # draws x examples in one chunk: 32 MB

Weights = NDArray[np.float64]  # (draws, examples): how often each draw has each example
Statistic = Callable[[Weights], NDArray[np.float64]]  # -> (draws,)


def interval(statistic: Statistic, groups: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of a statistic.

    Whole groups are drawn with replacement, because examples of one group (the windows of a clip, the
    clips of a person) are similar.
    statistic: a function of the weights of a chunk of draws
    groups:    (examples,) the group of each example; with a single group, the interval has no width
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    count, chance = len(names), np.random.default_rng(seed)
    step = max(1, _MOST_CELLS // max(1, len(group_of)))
    found = [
        statistic(_drawn(chance, count, min(step, DRAWS - first))[:, group_of])
        for first in range(0, DRAWS, step)
    ]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(np.concatenate(found), [tail, 100 - tail])
    return float(low), float(high)


def mean_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the mean of values (examples,)."""
    numbers = np.asarray(values, np.float64)
    return interval(lambda weights: weights @ numbers / weights.sum(1), range(len(numbers)), seed)


def share_interval(hits: ArrayLike, groups: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of a share, such as accuracy.

    If all examples are hits, or none is, all draws are equal. The far bound is then the exact one for
    as many trials as there are groups: C. Clopper and E. Pearson, Biometrika 26(4), 1934.
    hits: (examples,) whether each one is a hit
    """
    is_hit = np.asarray(hits, np.float64)
    trials = len(np.unique(np.asarray(groups)))
    bound = float(((1 - LEVEL) / 2) ** (1 / trials))
    if is_hit.all():
        return bound, 1.0
    if not is_hit.any():
        return 0.0, 1 - bound
    return interval(lambda weights: weights @ is_hit / weights.sum(1), groups, seed)


def groups_of(clips: int, people: "list[Any] | None") -> tuple[list[Any], str]:
    """Return the group of each clip, and what a group is: a person if enough are known, otherwise a clip."""
    known = people or []
    if len(known) == clips and None not in known and len(set(known)) >= FEWEST_GROUPS:
        return known, "people"
    return list(range(clips)), "clips"


def _drawn(chance: np.random.Generator, groups: int, draws: int) -> Weights:
    """Return how often each group is drawn: (draws, groups)."""
    return chance.multinomial(groups, np.full(groups, 1 / groups), draws).astype(np.float64)
