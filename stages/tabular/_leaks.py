"""Finds columns that may contain the answer: alone, they give the target away.

They are named, not left out: only the user knows whether the device has them before the answer.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note
from stages.tabular._profile import Profile
from stages.tabular._target import Target
from stages.training.findings import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = 12  # maximum number of columns named in one note
CUTS = 32  # bins of a number in a rule
LEFT = 0.01  # share of the majority's mistakes, or of the variance, that a leak leaves
FEW = 30  # rows that are not of the majority class; with fewer, a rule may be perfect by chance
FLAG = 0.2  # greatest share of the rows in which a flag is set
RARE = 0.2  # greatest share of the class that a flag gives away
SURE = 0.95  # share of the rows with a flag that have this class
FLAGGED = 10  # rows with a flag
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_VALUES = ("null", "true", "false", "nan", "inf")  # words that Hydra does not read as text


@dataclass(frozen=True)
class Leak:
    """A column, and why it is suspected."""

    column: str
    why: str


def found(
    features: Sequence[Profile], target: Target, parts: "Mapping[str, NDArray[np.int64]]"
) -> list[Leak]:
    """Return the suspects. A rule is made from training rows, and tried on validation rows."""
    leaks = []
    for one in features:
        if target.classes is None:
            why = _of_number(one, target.truth, parts)
        else:
            why = _of_class(one, target, parts) or _of_flag(one, target, parts["train"])
        if why:
            leaks.append(Leak(one.column.name, why))
    return leaks


def tell(leaks: Sequence[Leak]) -> None:
    """Name the suspects, and say how to leave them out."""
    if not leaks:
        return
    reasons = listed([f"{one.column} ({one.why})" for one in leaks], NAMED, "; ")
    names = ",".join(_quoted(one.column) for one in leaks)
    what = f"{len(leaks)} column{'s' * (len(leaks) != 1)}"
    note(
        f"suspected leak: {what} may contain the answer: {reasons}; columns that the device does "
        f"not know before the answer should be left out: {shlex.quote(f'params.drop=[{names}]')}"
    )


def _quoted(name: str) -> str:
    """Return a name as Hydra reads it in a list."""
    if _WORD.fullmatch(name) and name.casefold() not in _VALUES:
        return name
    escaped = name.replace('"', r"\"").replace("${", r"\${")
    return f'"{escaped}"'


def _binned(
    one: Profile, truth: "NDArray[np.int64]", rows: "NDArray[np.int64]"
) -> "NDArray[np.int64]":
    """Return a small number for each row's value: bins of a number with many values; -1: missing.

    The bins end where the class changes, or at quantiles if it changes often.
    """
    if one.numbers is None or one.distinct <= CUTS:
        return one.codes
    chosen = rows[one.present[rows]]
    chosen = chosen[np.argsort(one.numbers[chosen], kind="stable")]
    values, changes = one.numbers[chosen], np.flatnonzero(np.diff(truth[chosen]))
    cuts = (values[changes] + values[changes + 1]) / 2
    if len(cuts) > CUTS:
        cuts = np.quantile(values, np.linspace(0, 1, CUTS + 1)[1:-1])
    return np.where(one.present, np.digitize(one.numbers, np.unique(cuts)), -1)


def _of_class(one: Profile, target: Target, parts: "Mapping[str, NDArray[np.int64]]") -> str:
    """Return why the column alone gives the class away, or an empty text."""
    train, val = parts["train"], parts["val"]
    truth = target.truth.astype(np.int64)
    value = _binned(one, truth, train) + 1
    counts = np.zeros((int(value.max()) + 1, len(target.labels)), np.int64)
    np.add.at(counts, (value[train], truth[train]), 1)
    usual = int(counts.sum(0).argmax())
    if (truth[train] != usual).sum() < FEW:
        return ""
    rule = np.where(counts.any(1), counts.argmax(1), usual)
    rows = np.concatenate([train, val])
    if len(val) and len(np.unique(value[train])) > 0.5 * len(train):
        rows = val  # a value of its own for each row proves nothing in training
    wrong, most = (rule[value[rows]] != truth[rows]).sum(), (truth[rows] != usual).sum()
    if not most or wrong > LEFT * most:
        return ""
    return f"alone, it names the class of {1 - wrong / len(rows):.1%} of the rows"


def _of_flag(one: Profile, target: Target, rows: "NDArray[np.int64]") -> str:
    """Return which rare class a flag gives away, or an empty text."""
    values = one.codes[rows]
    if one.distinct != 2 or (values < 0).any():
        return ""
    truth = target.truth.astype(np.int64)[rows]
    flagged = values == np.bincount(values, minlength=2).argmin()
    if not FLAGGED <= flagged.sum() <= FLAG * len(rows):
        return ""
    counts = np.bincount(truth[flagged], minlength=len(target.labels))
    named = int(counts.argmax())
    share, base = counts[named] / flagged.sum(), (truth == named).mean()
    if base > RARE or share < SURE:
        return ""
    return f"if set, '{target.labels[named]}' follows in {share:.1%} of {flagged.sum()} rows"


def _of_number(
    one: Profile, truth: "NDArray[np.float64]", parts: "Mapping[str, NDArray[np.int64]]"
) -> str:
    """Return how much of a number's variance the column alone explains, if that is nearly all."""
    rows = np.concatenate([parts["train"], parts["val"]])
    whole = truth[rows].var()
    if len(rows) < FEW or not whole:
        return ""
    left = _between(one.codes[rows], truth[rows]) / whole
    if one.numbers is not None:
        present = one.present[rows]
        x, y = one.numbers[rows][present], truth[rows][present]
        if len(x) >= FEW and x.std() and y.std():
            left = min(left, 1 - np.corrcoef(x, y)[0, 1] ** 2, 1 - _ranked(x, y) ** 2)
    return "" if left > LEFT / 10 else "it determines the target nearly alone"


def _between(codes: "NDArray[np.int64]", truth: "NDArray[np.float64]") -> float:
    """Return the variance within groups of equal values; infinite if most groups are single rows."""
    _, group = np.unique(codes, return_inverse=True)
    counts = np.bincount(group)
    if len(counts) > 0.5 * len(codes):
        return float("inf")
    means = np.bincount(group, truth) / counts
    return float(((truth - means[group]) ** 2).sum() / max(1, len(codes) - len(counts)))


def _ranked(x: "NDArray[np.float64]", y: "NDArray[np.float64]") -> float:
    """Return the rank correlation; equal values share a rank."""
    ranks = [np.unique(one, return_inverse=True)[1].astype(np.float64) for one in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])
