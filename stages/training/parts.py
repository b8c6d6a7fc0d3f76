"""Divides examples into training, validation and test parts; near-duplicates stay together."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = dict[str, list[int]]  # train, val and test: sorted indices of examples


def divide(
    labels: Sequence[str],
    splits: "Sequence[str | None]",
    group: "NDArray[np.int64]",
    rows: Sequence[int],
    shares: tuple[float, float],
    seed: int,
    what: str = "picture",
) -> Parts:
    """Return the part of each of these rows, in the same shares for every label.

    labels, splits: of all examples: what to stratify by, and the part that the data set assigns, if any
    group:          (examples,) equal numbers for near-duplicates
    shares:         of test and validation
    what:           an example's name, for a note

    An existing split is kept; validation is cut from training if the split has none. Parts may be empty.
    """
    chance = np.random.default_rng(seed)
    if not any(splits[at] for at in rows):
        test, val, train = _cut(labels, group, rows, shares, chance)
        return {"train": train, "val": val, "test": test}
    parts = _existing(splits, group, rows, what)
    if not parts["val"]:
        val, train = _cut(labels, group, parts["train"], shares[1:], chance)
        parts |= {"val": val, "train": train}
    return parts


def _existing(
    splits: "Sequence[str | None]", group: "NDArray[np.int64]", rows: Sequence[int], what: str
) -> Parts:
    """Return the data set's own parts; training loses near-duplicates of other parts' examples."""
    parts = {name: [at for at in rows if splits[at] == name] for name in ("train", "val", "test")}
    held = {int(group[at]) for name in ("val", "test") for at in parts[name]}
    kept = [at for at in parts["train"] if int(group[at]) not in held]
    if dropped := len(parts["train"]) - len(kept):
        lost = f"{dropped} training {what}{'s' * (dropped != 1)}"
        note(f"left out {lost}: near-duplicates of test {what}s")
    return parts | {"train": kept}


def _cut(
    labels: Sequence[str],
    group: "NDArray[np.int64]",
    rows: Sequence[int],
    shares: tuple[float, ...],
    chance: np.random.Generator,
) -> list[list[int]]:
    """Return a part for each share of every label, and a part with the rest."""
    members: dict[int, list[int]] = defaultdict(list)
    for at in rows:
        members[int(group[at])].append(at)
    by_label: dict[str, list[list[int]]] = defaultdict(list)
    for together in members.values():
        by_label[labels[together[0]]].append(together)
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for _, groups in sorted(by_label.items()):
        count = sum(map(len, groups))
        waiting = [groups[at] for at in chance.permutation(len(groups))]
        waiting.sort(key=lambda group: 2 * len(group) <= count)  # trained on if over half a label
        for part, share in zip(parts[:-1], shares, strict=True):
            taken = 0
            while len(waiting) > 1 and taken < max(1, round(share * count)):
                together = waiting.pop()
                part += together
                taken += len(together)
        for together in waiting:
            parts[-1] += together
    return [sorted(part) for part in parts]
