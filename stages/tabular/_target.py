"""The target: which column it is, whether it is a class or a number, and its value in each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from engine.stage import StageError, note
from stages.tabular._profile import Profile
from stages.tabular.formats._sheet import short
from stages.tasks.columns.column import CATEGORY, DATE, NUMBER
from stages.tasks.columns.decision import CLASSIFY, REGRESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["classify", "regress"]
FEW_LEVELS = 10  # whole numbers that are taken for classes
DOUBTFUL_LEVELS = 100  # whole numbers that may be meant as classes
MOST_CLASSES = 1000
STRATA = 10  # equal shares of a number's range that every part gets


@dataclass(frozen=True)
class Target:
    """The value of each row (rows,): the number of a class, -1 if missing; or a number, NaN if missing."""

    name: str
    task: Task
    classes: "NDArray[np.int64] | None" = None
    numbers: "NDArray[np.float64] | None" = None
    labels: Sequence[str] = ()

    @property
    def present(self) -> "NDArray[np.bool_]":
        if self.classes is not None:
            return self.classes >= 0
        return ~np.isnan(self.truth)

    @property
    def truth(self) -> "NDArray[np.int64] | NDArray[np.float64]":
        found = self.numbers if self.classes is None else self.classes
        if found is None:
            raise ValueError("a target has classes or numbers")
        return found

    def strata(self) -> list[str]:
        """Return what each part should have the same share of: classes, or tenths of the numbers."""
        if self.classes is not None:
            return [str(one) for one in self.classes.tolist()]
        present = self.truth[self.present]
        ends = np.unique(np.quantile(present, np.linspace(0, 1, STRATA + 1)[1:-1]))
        return [str(one) for one in np.digitize(self.truth, ends).tolist()]


def target(one: Profile, task: Task | None) -> Target:
    """Return the target. StageError: it has no or one value, or its values do not suit the task."""
    name = one.column.name
    if one.column.type == DATE:
        raise StageError(f"the target '{name}' is a date: set params.target to another column")
    if not one.distinct:
        raise StageError(
            f"the target '{name}' has no value in any row: set params.target to another column"
        )
    if one.mixes_decimals:
        raise StageError(
            f"the numbers of the target '{name}' have decimal points in some rows and decimal commas in "
            f"others, such as {_mixed(one)}: write them all alike"
        )
    chosen = task or _inferred(one)
    if one.distinct == 1:
        raise StageError(
            f"the target '{name}' has the same value in every row, so there is nothing to learn: add rows "
            "with other values, or set params.target to another column"
        )
    if chosen == REGRESS:
        if one.numbers is None:
            raise StageError(
                f"the target '{name}' has words such as '{short(_spoken(one)[0])}', not numbers: set "
                "params.task=classify, or params.target to a column of numbers"
            )
        return Target(name, REGRESS, numbers=one.numbers)
    labels = _spoken(one)
    if (
        task is None
        and one.column.type == CATEGORY
        and np.bincount(one.codes[one.present]).max() == 1
    ):
        raise StageError(
            f"the target '{name}' has another text in every row, such as '{short(labels[0])}', so there are "
            "no classes to learn: set params.target to another column"
        )
    if len(labels) > MOST_CLASSES:
        raise StageError(
            f"the target '{name}' has {len(labels)} different values, too many for classes: set "
            "params.task=regress, or params.target to another column"
        )
    return Target(name, CLASSIFY, classes=one.codes, labels=labels)


def _mixed(one: Profile) -> str:
    """Return a number with a decimal point, and one with a decimal comma."""
    labels = _spoken(one)
    found = [next(text for text in labels if sign in text) for sign in (".", ",")]
    return " and ".join(f"'{short(text)}'" for text in found)


def _inferred(one: Profile) -> Task:
    """Return the task that suits the values, and say which, if both do."""
    if one.numbers is None:
        return CLASSIFY
    present = one.numbers[one.present]
    is_whole = bool((present == np.rint(present)).all())
    found: Task = CLASSIFY if is_whole and one.distinct <= FEW_LEVELS else REGRESS
    if is_whole and 2 < one.distinct <= DOUBTFUL_LEVELS:
        other = REGRESS if found == CLASSIFY else CLASSIFY
        what = "classes" if found == CLASSIFY else "numbers"
        note(
            f"the target '{one.column.name}' has {one.distinct} different whole numbers: taken for {what} "
            f"(params.task={found}); set params.task={other} if that is wrong"
        )
    return found


def _spoken(one: Profile) -> list[str]:
    """Return the spelling of each value."""
    if one.column.type == NUMBER and one.numbers is not None:
        return [f"{value:.15g}" for value in np.unique(one.numbers[one.present]).tolist()]
    spoken = one.spoken or {}
    return [spoken.get(key, key) for key in one.keys]
