"""Divides the rows of a table into training, validation and test; equal rows stay together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import StageError, note
from stages.media import splits
from stages.tabular._profile import Profile
from stages.tabular._target import Target
from stages.tabular.formats._findings import Findings
from stages.training.parts import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALLED = {"train": "training", "val": "validation", "test": "the test"}
NAMED = 8  # maximum number of classes named in one sentence
FEW = 0.25  # share of the rows with different features below which a note is due
Parts = Mapping[str, "NDArray[np.int64]"]


def split(
    target: Target,
    features: Sequence[Profile],
    own: Sequence[str | None],
    moments: "NDArray[np.float64] | None",
    together: Profile | None,
    shares: tuple[float, float],
    seed: int,
) -> Parts:
    """Return the rows of each part; shares: of test and validation.

    own:     what the data set says of each row: train, val, test or None
    moments: (rows,) by which the table is split, the latest into the test; None: at random
    together: a column whose rows with the same value stay in one part
    StageError: a part is empty.
    """
    rows = np.flatnonzero(target.present)
    settled = own_split([own[at] for at in rows])
    if moments is not None:
        settled = _by_time(moments[rows], shares)
    assigned: list[str | None] = [None] * len(own)
    for at, part in zip(rows.tolist(), settled, strict=True):
        assigned[at] = part
    group = equal_rows(features, len(own))
    if moments is None and not any(settled):
        _tell_few(len(np.unique(group[rows])), len(rows))
    if together is not None:
        group = joined(group, together.codes)
    found = divide(target.strata(), assigned, group, rows.tolist(), shares, seed, "row")
    parts = {name: np.array(found[name], np.int64) for name in CALLED}
    for name, part in parts.items():
        if not len(part) and moments is not None:
            different = len(np.unique(moments[rows][~np.isnan(moments[rows])]))
            raise StageError(
                f"there are no rows for {CALLED[name]}: params.date splits the rows by a column that has "
                f"{different} different value{'s' * (different != 1)} in them, and rows with the same one "
                "stay together; choose a column with more, or set params.date=null to split at random"
            )
        if not len(part):
            raise StageError(
                f"there are no rows for {CALLED[name]}: the table has {len(rows)} rows with a value of "
                f"'{target.name}'; add different rows, or change their split"
            )
    return parts


def own_split(found: Sequence[str | None]) -> list[str | None]:
    """Return the data set's own split, if it has training and another part; rows without one are trained on.

    Without a test part, the validation part becomes the test part.
    """
    named = set(found) - {None}
    if "train" not in named or len(named) == 1:
        return [None] * len(found)
    renamed = {"val": "test"} if "test" not in named else {}
    return [renamed.get(one or "train", one or "train") for one in found]


def equal_rows(features: Sequence[Profile], rows: int) -> "NDArray[np.int64]":
    """Return equal numbers (rows,) for rows whose features all have the same values."""
    if not features:
        return np.arange(rows)
    codes = np.stack([one.codes for one in features], 1)
    whole = np.ascontiguousarray(codes).view(np.dtype((np.void, codes.itemsize * codes.shape[1])))
    return np.unique(whole.ravel(), return_inverse=True)[1].astype(np.int64)


def joined(first: "NDArray[np.int64]", second: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return equal numbers (rows,) for rows that are connected by equal numbers; -1 in `second`: none."""
    parent = list(range(int(first.max(initial=-1)) + 1 + int(second.max(initial=-1)) + 1))
    start = int(first.max(initial=-1)) + 1

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        if other >= 0:
            parent[root(one)] = root(start + other)
    return np.array([root(one) for one in first.tolist()], np.int64)


def _tell_few(different: int, rows: int) -> None:
    if different < FEW * rows:
        note(
            f"the rows have only {different} different combinations of features; rows with the same one "
            "stay in one part, so the test has combinations that are not trained on"
        )


def _by_time(moments: "NDArray[np.float64]", shares: tuple[float, float]) -> list[str | None]:
    """Return the part of each row; equal moments stay together, and rows without one are trained on."""
    known = np.sort(moments[~np.isnan(moments)])
    test = known[min(len(known) - 1, round(len(known) * (1 - shares[0])))]
    val = known[min(len(known) - 1, round(len(known) * (1 - sum(shares))))]
    if lacking := len(moments) - len(known):
        note(f"{lacking} rows have no date: they are trained on")
    return [
        "test" if moment >= test else "val" if moment >= val else "train"
        for moment in moments.tolist()
    ]


def of_columns(words: Sequence[str], files: Sequence[str | None]) -> list[str | None]:
    """Return the part of each row from the cell of its column `split`, or from its file."""
    return [splits.named(word) if word else file for word, file in zip(words, files, strict=True)]


def trained(
    target: Target, parts: Parts, place: Callable[[int], str], findings: Findings
) -> tuple[Parts, Target]:
    """Return the parts without rows of a class that is not in training, and the target without the class.

    StageError: training has only one class, or a part has only others.
    """
    if target.classes is None:
        return parts, target
    known = np.unique(target.classes[parts["train"]])
    if len(known) < 2:
        raise StageError(
            f"all training rows have the same value of '{target.name}', '{target.labels[known[0]]}': add "
            "rows with other values, or change the split"
        )
    kept = {name: part[np.isin(target.classes[part], known)] for name, part in parts.items()}
    for name, part in parts.items():
        for row in np.setdiff1d(part, kept[name]).tolist():
            findings.add("untrained_classes", place(row), target.labels[target.classes[row]])
    for name, part in kept.items():
        if not len(part):
            other = target.labels[target.classes[parts[name][0]]]
            raise StageError(
                f"all rows for {CALLED[name]} have classes that no training row has, such as '{other}': "
                f"training has {', '.join(repr(target.labels[at]) for at in known[:NAMED])}; write them alike"
            )
    number = np.full(len(target.labels) + 1, -1, np.int64)  # the last one is for -1, missing
    number[known] = np.arange(len(known))
    labels = [target.labels[at] for at in known]
    return kept, replace(target, classes=number[target.classes], labels=labels)
