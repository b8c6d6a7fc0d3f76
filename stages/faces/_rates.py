"""Error rates of face recognition, from cosines. Verification compares pairs of faces; identification
compares a face with a gallery.

Terms and definitions: ISO/IEC 19795-1, Biometric performance testing and reporting.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PAIRS = 200_000  # of different people; more are drawn at random
MISSED = (
    0.01  # share of enrolled people's faces that a threshold may refuse to be safer with strangers
)
_BINS = 2048  # of the cosine, for the interval of the equal error rate


class Pairs:
    """The cosines of pairs of faces, of the same person and of different people."""

    def __init__(self, embeddings: "NDArray[Any]", people: "NDArray[np.int64]") -> None:
        """embeddings (faces, d) of length 1; people (faces,)."""
        first, second = np.triu_indices(len(embeddings), 1)
        is_same = people[first] == people[second]
        others = np.flatnonzero(~is_same)
        if len(others) > MOST_PAIRS:
            others = np.random.default_rng(0).choice(others, MOST_PAIRS, replace=False)
        kept = np.concatenate([np.flatnonzero(is_same), others])
        self.first, self.second, self.is_same = first[kept], second[kept], is_same[kept]
        self.cosines = np.einsum("ij,ij->i", embeddings[self.first], embeddings[self.second])

    @property
    def has_both(self) -> bool:
        """Return whether there are pairs of the same person and of different people."""
        return bool(self.is_same.any() and not self.is_same.all())

    def rates(self) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
        """Return each cosine as a threshold, with its false match rate and its false non-match rate."""
        thresholds = np.sort(self.cosines)
        same, other = (np.sort(self.cosines[chosen]) for chosen in (self.is_same, ~self.is_same))
        missed = np.searchsorted(same, thresholds) / len(same)
        matched = 1 - np.searchsorted(other, thresholds) / len(other)
        return thresholds, matched, missed

    def equal_error(self) -> float:
        """Return the rate at the threshold where both error rates are equal, 0 to 1."""
        _, matched, missed = self.rates()
        at = int(np.abs(matched - missed).argmin())
        return float((matched[at] + missed[at]) / 2)

    def equal_error_of(self, weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the equal error rate of each draw; weights (draws, faces), for the bootstrap."""
        bins = np.clip(((self.cosines + 1) / 2 * _BINS).astype(int), 0, _BINS - 1)
        found = []
        for one in weights:
            pair = one[self.first] * one[self.second]
            same, other = (
                np.bincount(bins[chosen], pair[chosen], _BINS).cumsum()
                for chosen in (self.is_same, ~self.is_same)
            )
            missed, matched = same / max(same[-1], 1e-9), 1 - other / max(other[-1], 1e-9)
            at = int(np.abs(matched - missed).argmin())
            found.append((matched[at] + missed[at]) / 2)
        return np.array(found)


def strangers(similar: "NDArray[Any]", people: "NDArray[np.int64]") -> "NDArray[Any]":
    """Return the highest cosine (faces,) that a face has with other people: as if it were a stranger's.

    similar: (faces, people) as Gallery.similarities returns them
    """
    others = np.array(similar, copy=True)
    others[np.arange(len(people)), people] = -1
    return others.max(1)  # type: ignore[no-any-return]


def threshold(
    highest: "NDArray[Any]", false_accept: float, own: "NDArray[Any] | tuple[()]" = ()
) -> float:
    """Return a threshold that accepts at most this share of strangers.

    highest: (faces,) of strangers. With fewer than 1 / false_accept of them, all are refused
    own:     (faces,) cosines of enrolled people's faces with their own person. Between the strangers' limit
             and the cosine that 99 % of these reach, if that is higher, the threshold is in the middle: the
             limit alone is known from few faces
    """
    order = np.sort(highest)[::-1]
    limit = np.float32(order[int(false_accept * len(order))])
    reached = np.float32(np.quantile(own, MISSED)) if len(own) else limit
    return float(np.nextafter(max(limit, (limit + reached) / 2), np.float32(2)))
