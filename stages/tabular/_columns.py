"""Finds out the role of each column of a table, and makes the schema from the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import StageError, note
from stages.tabular import _division, _fit, _profile, _roles, _target
from stages.tabular._profile import Profile
from stages.tabular._target import Target, Task
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Table
from stages.tasks.columns.column import FEATURE, LEFT_OUT, NUMBER, TARGET, Column
from stages.tasks.columns.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

Name = str | int


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


def columns(table: Table, asked: Asked, findings: Findings) -> Columns:
    """Return the columns of a table. StageError: a column that is named does not exist."""
    found = _profile.profiles(table, findings)
    split = _roles.split_column(found)
    goal = _goal(table.names, asked, split)
    dropped = _places(table.names, asked.drop, "drop")
    if goal in dropped:
        raise StageError(
            f"params.drop has the target '{table.names[goal]}': remove it from one of them"
        )
    date = None if asked.date is None else _roles.index_of(table.names, asked.date, "date")
    kept = [*_places(table.names, asked.keep, "keep"), *([] if date is None else [date])]
    group = None if asked.group is None else _roles.index_of(table.names, asked.group, "group")
    fixed = dict.fromkeys(dropped, "it was dropped")
    if group is not None:
        fixed[group] = "it says which rows belong together"
    if split is not None:
        fixed[split] = "it says which part a row belongs to"
    for at in dropped:
        findings.add("dropped_columns", table.names[at])
    made = _roles.left_out(found, {goal, *fixed}, kept, findings)
    made[goal] = replace(made[goal], role=TARGET)
    for at, why in fixed.items():
        made[at] = replace(made[at], role=LEFT_OUT, why=why)
    words = table.splits
    if split is not None:
        words = _division.of_columns(table.columns[split], table.splits)
    moments = None if date is None else _moments(found[date])
    name = "" if date is None else table.names[date]
    wanted = _target.target(found[goal], asked.task)
    for row in np.flatnonzero(~wanted.present).tolist():
        findings.add("unlabelled", table.place(row))
    together = None if group is None else found[group]
    return Columns(table, wanted, found, made, words, moments, name, together)


def _goal(names: Sequence[str], asked: Asked, split: int | None) -> int:
    """Return the place of the target: by default the last column that does not name a part."""
    if len(names) < 2:
        raise StageError(
            f"the table has only the column '{names[0]}': it needs a target and at least one more; cells "
            "are separated by commas, semicolons, tabs, | or spaces"
        )
    if asked.target is not None:
        return _roles.index_of(names, asked.target, "target")
    last = len(names) - 1
    found = last - 1 if last == split else last
    note(f"the target is the last column, '{names[found]}'; set params.target to choose another")
    return found


def _places(names: Sequence[str], wanted: Sequence[Name], parameter: str) -> list[int]:
    return [_roles.index_of(names, one, parameter) for one in wanted]


def _moments(one: Profile) -> "NDArray[np.float64]":
    if one.numbers is None or not one.distinct:
        raise StageError(
            f"params.date: '{one.column.name}' has no dates and no numbers, such as "
            f"'{next(iter(one.keys), '')}': write dates as 2024-12-31, or choose another column"
        )
    return one.numbers


def _without(column: Column) -> Column:
    """Return a column that says nothing in the training rows."""
    why = "it has the same value in every training row"
    return replace(column, role=LEFT_OUT, why=why, features=())
