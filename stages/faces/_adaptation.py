"""Fits a linear head that makes embeddings depend less on what changes within a person's pictures.

The differences between a person's embeddings have a covariance; the head normalises it, and shrinks it
towards that of white noise, because few people are known. Source: Hatch, Kajarekar and Stolcke,
"Within-class covariance normalization for SVM-based speaker recognition", Interspeech 2006.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.faces import _rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embeddings = NDArray[np.float32]
    People = NDArray[np.int64]

SHARES = (0.05, 0.1, 0.2, 0.4)  # of the measured covariance; the rest is white
RANK = 64  # most directions that the head changes
FOLDS = 5  # of people, to choose the share
FEWEST = 4  # people


@dataclass(frozen=True)
class Head:
    """A change of embeddings: x - (x @ directions) @ (strength * directions).T"""

    directions: "NDArray[np.float32]"  # (d, rank), orthonormal
    strength: "NDArray[np.float32]"  # (rank,) 0: unchanged, 1: removed

    def apply(self, embeddings: "Embeddings") -> "Embeddings":
        """Return the changed embeddings (faces, d)."""
        along = (embeddings @ self.directions) * self.strength
        return embeddings - along @ self.directions.T  # type: ignore[no-any-return]


def fit(embeddings: "Embeddings", people: "People", share: float) -> Head:
    """Return the head for embeddings (faces, d) of people (faces,), at least one of whom has two faces."""
    around = np.concatenate([_around_mean(embeddings[people == one]) for one in np.unique(people)])
    _, sizes, directions = np.linalg.svd(around, full_matrices=False)
    variances = sizes[:RANK] ** 2
    relative = variances / max(float((around**2).sum()) / around.shape[1], 1e-12)
    strength = 1 - ((1 - share) / (1 - share + share * relative)) ** 0.5
    return Head(directions[:RANK].T.astype(np.float32), strength.astype(np.float32))


def best(embeddings: "Embeddings", people: "People", seed: int) -> float:
    """Return the share of SHARES with the lowest equal error rate on people that a head did not see."""
    every = np.random.default_rng(seed).permutation(np.unique(people))
    folds = np.array_split(every, min(FOLDS, len(every) // 2))
    return min(
        SHARES, key=lambda share: sum(_error(embeddings, people, one, share) for one in folds)
    )


def _around_mean(embeddings: "Embeddings") -> "Embeddings":
    return embeddings - embeddings.mean(0)  # type: ignore[no-any-return]


def _error(embeddings: "Embeddings", people: "People", held: "People", share: float) -> float:
    from stages.tasks.head import unit_length

    is_held = np.isin(people, held)
    head = fit(embeddings[~is_held], people[~is_held], share)
    pairs = _rates.Pairs(unit_length(head.apply(embeddings[is_held])), people[is_held])
    return pairs.equal_error() if pairs.has_both else 0.0
