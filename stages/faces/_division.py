"""Decides which faces are enrolled, and which people's other faces validate and test."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = dict[str, list[int]]  # gallery, val, test, repeated, ambiguous: indices of faces


def divide(
    people: Sequence[str],
    group: "NDArray[np.int64]",
    enrolled: int,
    val_share: float,
    seed: int,
) -> Parts:
    """Return the part of each face.

    people:    (faces,) whose it is, in the order of the pictures
    group:     (faces,) equal numbers for near-duplicates
    enrolled:  most faces of a person in the gallery: their first, but only half of them
    val_share: share of the people with more faces, who validate; the others test

    Near-duplicates of a person's earlier face are `repeated`, and faces of two people are `ambiguous`:
    both are left out.
    """
    owners: dict[int, set[str]] = defaultdict(set)
    for person, number in zip(people, group, strict=True):
        owners[int(number)].add(person)
    parts: Parts = {name: [] for name in ("gallery", "val", "test", "repeated", "ambiguous")}
    own: dict[str, list[int]] = defaultdict(list)
    seen = set()
    for at, (person, number) in enumerate(zip(people, group.tolist(), strict=True)):
        if len(owners[number]) > 1:
            parts["ambiguous"].append(at)
        elif number in seen:
            parts["repeated"].append(at)
        else:
            own[person].append(at)
        seen.add(number)
    probed = sorted(person for person, faces in own.items() if len(faces) > 1)
    chosen = np.random.default_rng(seed).permutation(len(probed))
    validating = {probed[at] for at in chosen[: round(val_share * len(probed))]}
    for person, faces in own.items():
        count = min(enrolled, max(1, len(faces) // 2))
        parts["gallery"] += faces[:count]
        parts["val" if person in validating else "test"] += faces[count:]
    return {name: sorted(found) for name, found in parts.items()}
