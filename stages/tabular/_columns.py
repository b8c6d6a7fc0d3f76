"""Finds out the role of each column of a table, and makes the schema from the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import StageError, note
from stages.tabular import _division, _fit, _profile, _roles, _target
from stages.tabular._profile import Profile
from stages.tabular._target import Target, Task
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Table
from stages.tasks.columns import dates
from stages.tasks.columns.column import FEATURE, LEFT_OUT, NUMBER, TARGET, Column
from stages.tasks.columns.schema import Schema
from stages.training.findings import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

Name = str | int
EXAMPLES = 3  # values in a message


@dataclass(frozen=True)
class Asked:
    """What the user says about the columns, by name or number."""

    target: Name | None = None
    task: Task | None = None
    date: Name | None = None
    group: Name | None = None
    drop: Sequence[Name] = ()
    keep: Sequence[Name] = ()


@dataclass(frozen=True)
class Columns:
    """The columns with their roles.

    profiles: of all columns; used: of the features
    columns:  in the order of the table, without features
    splits:   what the data set says about each row
    moments:  (rows,) by which the table is split, if it is
    date:     the name of their column, or empty
    together: the column whose rows with the same value stay in one part, if there is one
    """

    table: Table
    target: Target
    profiles: Sequence[Profile]
    columns: Sequence[Column]
    splits: Sequence[str | None]
    moments: "NDArray[np.float64] | None"
    date: str
    together: Profile | None

    @property
    def used(self) -> list[Profile]:
        pairs = zip(self.profiles, self.columns, strict=True)
        return [one for one, column in pairs if column.role == FEATURE]

    def values(self, schema: Schema) -> "NDArray[np.float64]":
        """Return the values (rows, features) of the schema's features; numbers have been read already."""
        found = []
        for at, column in enumerate(schema.columns):
            if column.role != FEATURE:
                continue
            numbers = self.profiles[at].numbers
            if column.type == NUMBER and numbers is not None:
                found.append(numbers[:, None])
            else:
                read = column.reader().values
                found.append(np.array([read(cell) for cell in self.table.columns[at]], np.float64))
        return np.concatenate(found, 1)

    def schema(self, rows: "NDArray[np.int64]", bins: int) -> Schema:
        """Return the schema with features made from these rows; StageError: there are none."""
        found = []
        for at, (one, column) in enumerate(zip(self.profiles, self.columns, strict=True)):
            if column.role == FEATURE:
                is_split = column.name == self.date
                made = _fit.fitted(one, rows, bins, self.table.columns[at], is_split)
                column = made if any(part.size for part in made.features) else _without(made)
            found.append(column)
        names = [one.name for one in found if one.why == _roles.NAMES_ROWS]
        schema = Schema(tuple(found), self.table.has_header, id=names[0] if names else "")
        if not schema.size:
            out = "; ".join(f"{one.name}: {one.why}" for one in found if one.why)
            raise StageError(
                f"there is no column to learn from ({out}): add columns, or set params.keep"
            )
        return schema


@dataclass(frozen=True)
class _Places:
    """The places of the columns that have a purpose of their own."""

    target: int
    split: int | None
    date: int | None
    group: int | None
    dropped: Sequence[int]
    kept: Sequence[int]

    def reasons(self) -> dict[int, str]:
        """Return why a column is no feature, by its place."""
        found = dict.fromkeys(self.dropped, "it was dropped")
        if self.group is not None:
            found[self.group] = "it says which rows belong together"
        if self.split is not None:
            found[self.split] = "it says which part a row belongs to"
        return found


def columns(table: Table, asked: Asked, findings: Findings) -> Columns:
    """Return the columns of a table. StageError: a column that is named does not exist."""
    found = _profile.profiles(table, findings)
    at = _places(table.names, asked, _roles.split_column(found))
    goal = _target.target(found[at.target], asked.task)
    for place in at.dropped:
        findings.add("dropped_columns", table.names[place])
    for row in np.flatnonzero(~goal.present).tolist():
        findings.add("unlabelled", table.place(row))
    words = table.splits
    if at.split is not None:
        words = _division.of_columns(table.columns[at.split], words)
    return Columns(
        table,
        goal,
        found,
        _with_roles(found, at, findings),
        words,
        None if at.date is None else _moments(found[at.date]),
        "" if at.date is None else table.names[at.date],
        None if at.group is None else found[at.group],
    )


def _places(names: Sequence[str], asked: Asked, split: int | None) -> _Places:
    """Return the places of the columns that the user names. StageError: the target has another purpose."""

    def place(parameter: str, wanted: Name | None) -> int | None:
        return None if wanted is None else _roles.index_of(names, wanted, parameter)

    def places(parameter: str, wanted: Sequence[Name]) -> list[int]:
        return [_roles.index_of(names, one, parameter) for one in wanted]

    target = _goal(names, asked, split)
    date, group = place("date", asked.date), place("group", asked.group)
    dropped, kept = places("drop", asked.drop), places("keep", asked.keep)
    for parameter, found in (("drop", dropped), ("date", [date]), ("group", [group])):
        if target in found:
            raise StageError(
                f"params.{parameter} names the target '{names[target]}': set params.target to another "
                f"column, or params.{parameter} to none"
            )
    if date is not None:
        kept.append(date)
    return _Places(target, None if split == target else split, date, group, dropped, kept)


def _with_roles(found: Sequence[Profile], at: _Places, findings: Findings) -> list[Column]:
    """Return the columns with their roles."""
    reasons = at.reasons()
    made = _roles.left_out(found, {at.target, *reasons}, at.kept, findings)
    made[at.target] = replace(made[at.target], role=TARGET)
    for place, why in reasons.items():
        made[place] = replace(made[place], role=LEFT_OUT, why=why)
    return made


def _goal(names: Sequence[str], asked: Asked, split: int | None) -> int:
    """Return the place of the target: by default the last column that does not name a part."""
    if len(names) < 2:
        raise StageError(
            f"the table has only the column '{_sheet.short(names[0])}': it needs a target and at least one "
            "more; cells are separated by commas, semicolons, tabs, | or spaces"
        )
    if asked.target is not None:
        return _roles.index_of(names, asked.target, "target")
    last = len(names) - 1
    found = last - 1 if last == split else last
    note(f"the target is the last column, '{names[found]}'; set params.target to choose another")
    return found


def _moments(one: Profile) -> "NDArray[np.float64]":
    if one.numbers is None or not one.distinct:
        raise StageError(
            f"params.date: '{one.column.name}' contains no dates or numbers, or dates in different forms "
            f"({_examples(one)}): write dates as 2024-12-31, or choose another column"
        )
    return one.numbers


def _examples(one: Profile) -> str:
    """Return some values, those that cannot be read as a date first."""
    values = sorted(one.keys, key=lambda value: dates.parts(value) is not None)
    return listed([f"'{_sheet.short(value)}'" for value in values], EXAMPLES) or "it is empty"


def _without(column: Column) -> Column:
    """Return a column that says nothing in the training rows."""
    why = "it has the same value in every training row"
    return replace(column, role=LEFT_OUT, why=why, features=())
