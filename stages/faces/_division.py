"""Decides which faces are enrolled, and which people's other faces validate and test."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = dict[str, list[int]]  # by name: indices of faces
NAMES = "gallery", "val", "train", "test", "repeated", "ambiguous"


def divide(
    people: Sequence[str],
    group: "NDArray[np.int64]",
    enrolled: int,
    val_share: float,
    seed: int,
    train_share: float = 0.0,
) -> Parts:
    """Return the part of each face.

    people:    (faces,) whose it is, in the order of the pictures
    group:     (faces,) equal numbers for near-duplicates
    enrolled:  most faces of a person in the gallery: their first, but only half of them
    val_share: share of the people with more faces, who validate; the others test
    train_share: share of the people who neither validate nor test, but fine-tune

    Near-duplicates of a person's earlier face are `repeated`, and faces of two people are `ambiguous`:
    both are left out.
    """
    owners: dict[int, set[str]] = defaultdict(set)
    for person, number in zip(people, group, strict=True):
        owners[int(number)].add(person)
    parts: Parts = {name: [] for name in NAMES}
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
    chosen = [probed[at] for at in np.random.default_rng(seed).permutation(len(probed))]
    validating, training = (round(share * len(probed)) for share in (val_share, train_share))
    purpose = dict.fromkeys(chosen[:validating], "val")
    purpose |= dict.fromkeys(chosen[validating : validating + training], "train")
    for person, faces in own.items():
        count = min(enrolled, max(1, len(faces) // 2))
        parts["gallery"] += faces[:count]
        parts[purpose.get(person, "test")] += faces[count:]
    return {name: sorted(found) for name, found in parts.items()}
