"""Finds pictures that may show somebody else than the person whose folder they are in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 4  # faces of a person: with fewer, the odd one out is unknown
FAR = 4.0  # median absolute deviations below the median
LEAST_SPREAD = 0.01  # of the cosine, so that very similar faces do not suspect one another
_NAMED = 8  # in the note


def find(
    embeddings: "NDArray[np.float32]", people: "NDArray[np.int64]", names: Sequence[str]
) -> list[str]:
    """Return the names of faces that are far from the other faces of their person.

    embeddings (faces, d) of length 1; people, names: of each face. A face is as near to the others as the
    median of its cosines with them.
    """
    found = []
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        if len(rows) < FEWEST:
            continue
        cosines = embeddings[rows] @ embeddings[rows].T
        others = cosines[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
        near = np.median(others, 1)
        middle = float(np.median(near))
        spread = max(float(np.median(np.abs(near - middle))), LEAST_SPREAD)
        found += [names[at] for at in rows[near < middle - FAR * spread]]
    return found


def tell(names: Sequence[str]) -> None:
    """Note the names, if there are any."""
    if names:
        is_one = len(names) == 1
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        note(
            f"{len(names)} picture{' is' if is_one else 's are'} unlike the others of the same person, and "
            f"may show somebody else: {', '.join(names[:_NAMED])}{more}"
        )
