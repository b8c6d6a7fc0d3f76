"""Splits pictures into training, validation and test by class; near-duplicates stay together."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import StageError, note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.vision._pictures import Source

Parts = "dict[str, list[int]]"  # train, val and test: indices of pictures


def ambiguous(digests: Sequence[bytes], sources: "Sequence[Source]") -> "set[int]":
    """Return the pictures whose pixels also occur in another class."""
    labels: dict[bytes, set[str]] = defaultdict(set)
    for digest, source in zip(digests, sources, strict=True):
        labels[digest].add(source.label)
    return {at for at, digest in enumerate(digests) if len(labels[digest]) > 1}


def split(
    sources: "Sequence[Source]",
    group: "NDArray[np.int64]",
    left_out: "set[int]",
    shares: "tuple[float, float]",
    seed: int,
) -> "Parts":
    """Return the indices of the pictures in each part, sorted.

    group:  (pictures,) equal numbers for near-duplicates; shares: of test and validation

    StageError: a class without a training picture, or no test picture.
    """
    rows = [at for at in range(len(sources)) if at not in left_out]
    chance = np.random.default_rng(seed)
    if any(sources[at].split for at in rows):
        parts = _own(sources, group, rows)
        if not parts["val"]:
            cut = _cut(sources, group, parts["train"], (shares[1],), chance)
            parts |= {"val": cut[0], "train": cut[1]}
    else:
        test, val, train = _cut(sources, group, rows, shares, chance)
        parts = {"train": train, "val": val, "test": test}
    _check(sources, parts)
    return parts


def _own(sources: "Sequence[Source]", group: "NDArray[np.int64]", rows: list[int]) -> "Parts":
    """Return the data set's own parts; training loses near-duplicates of other parts' pictures."""
    parts = {
        name: [at for at in rows if sources[at].split == name] for name in ("train", "val", "test")
    }
    held = {int(group[at]) for name in ("val", "test") for at in parts[name]}
    kept = [at for at in parts["train"] if int(group[at]) not in held]
    if len(kept) < len(parts["train"]):
        note(
            f"{len(parts['train']) - len(kept)} training pictures are near-duplicates of "
            "test pictures and are left out"
        )
    return parts | {"train": kept}


def _cut(
    sources: "Sequence[Source]",
    group: "NDArray[np.int64]",
    rows: list[int],
    shares: "tuple[float, ...]",
    chance: "np.random.Generator",
) -> list[list[int]]:
    """Return a part for each share of every class, and a part with the rest."""
    members: dict[int, list[int]] = defaultdict(list)
    for at in rows:
        members[int(group[at])].append(at)
    by_class: dict[str, list[list[int]]] = defaultdict(list)
    for together in members.values():
        by_class[sources[together[0]].label].append(together)
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for _, groups in sorted(by_class.items()):
        count = sum(map(len, groups))
        waiting = [groups[at] for at in chance.permutation(len(groups))]
        waiting.sort(key=lambda group: 2 * len(group) <= count)  # trained on if over half a class
        for part, share in zip(parts[:-1], shares, strict=True):
            taken = 0
            while len(waiting) > 1 and taken < max(1, round(share * count)):
                together = waiting.pop()
                part += together
                taken += len(together)
        for together in waiting:
            parts[-1] += together
    return [sorted(part) for part in parts]


def _check(sources: "Sequence[Source]", parts: "Parts") -> None:
    labels = {source.label for source in sources}
    missing = sorted(labels - {sources[at].label for at in parts["train"]})
    if missing:
        raise StageError(
            f"there are no training pictures of {', '.join(missing)}: add some, or remove the class"
        )
    if not parts["test"]:
        raise StageError("there are no test pictures: give each class at least three pictures")
