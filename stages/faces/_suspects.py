"""Finds pictures that may show somebody else than the person whose folder they are in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note
from stages.training.findings import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 4  # faces of a person: with fewer, the odd one out is unknown
FAR = 4.0  # median absolute deviations below the median
LEAST_SPREAD = 0.01  # of the cosine, so that very similar faces do not suspect one another
ALIKE = 0.99  # share of pairs of different people that are less similar than a suspect may be to its own
_NAMED = 8  # in the note


def find(
    embeddings: "NDArray[np.float32]", people: "NDArray[np.int64]", names: Sequence[str]
) -> list[str]:
    """Return the names of faces that are far from the other faces of their person.

    embeddings (faces, d) of length 1; people, names: of each face. A face is as near to the others as the
    median of its cosines with them; this must be unusual for the person, and no higher than what is common
    between different people.
    """
    found, highest = [], _of_strangers(embeddings, people)
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        if len(rows) < FEWEST:
            continue
        cosines = embeddings[rows] @ embeddings[rows].T
        others = cosines[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
        near = np.median(others, 1)
        middle = float(np.median(near))
        spread = max(float(np.median(np.abs(near - middle))), LEAST_SPREAD)
        is_far = (near < middle - FAR * spread) & (near <= highest)
        found += [names[at] for at in rows[is_far]]
    return found


def _of_strangers(embeddings: "NDArray[np.float32]", people: "NDArray[np.int64]") -> float:
    """Return a high cosine of two different people; 1 if there is only one person."""
    first, second = np.triu_indices(len(people), 1)
    are_strangers = people[first] != people[second]
    if not are_strangers.any():
        return 1.0
    cosines = (embeddings @ embeddings.T)[first[are_strangers], second[are_strangers]]
    return float(np.quantile(cosines, ALIKE))


def tell(names: Sequence[str]) -> None:
    """Note the names, if there are any."""
    if names:
        is_one = len(names) == 1
        note(
            f"{len(names)} picture{' is' if is_one else 's are'} unlike the others of the same person, and "
            f"may show somebody else; if so, remove {'it' if is_one else 'them'}: "
            f"{listed(names, _NAMED)}"
        )
