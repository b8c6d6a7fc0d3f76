"""A column of a table: how its cells are read, and the features that are made from them.

A feature is a number or a category. It is NaN if it is missing; a category is its place in the list, and
one that training did not know has the place behind the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from stages.tasks.columns import cells, dates

NUMBER, CATEGORY, DATE = "number", "category", "date"  # types
FEATURE, TARGET, LEFT_OUT = "feature", "target", "left out"  # roles
PARTS = ("time", "month", "weekday", "hour")  # of a date
MISSING = math.nan
MOST = 3.4e38  # greatest number: that of float32; larger ones are placeholders, such as 1.8e308 for "none"
MOST_REMEMBERED = 100_000  # cells of a column


@dataclass(frozen=True)
class Feature:
    """One number or category, and its place in the model's input.

    edges:       of a number: the ends of its bins, ascending; with one edge, it has no component
    categories:  of a category: their keys, see `cells.key`
    has_other:   one more component stands for rare categories and for those that training did not know
    has_missing: the last component says that the value is missing; otherwise it becomes the median
    """

    name: str
    part: str = ""  # of a date
    edges: Tuple[float, ...] = ()
    median: float = 0.0
    categories: Tuple[str, ...] = ()
    has_other: bool = False
    has_missing: bool = False

    @property
    def is_category(self) -> bool:
        return not self.edges

    @property
    def values(self) -> int:
        """The number of components that describe a value."""
        return len(self.categories) + self.has_other if self.is_category else len(self.edges) - 1

    @property
    def size(self) -> int:
        """The number of components."""
        return self.values + self.has_missing


@dataclass(frozen=True)
class Column:
    """A column of the table.

    why:     the reason for a role, such as that the column was left out
    missing: share of the rows without a value, 0 to 1
    decimal: of a number: the decimal sign
    form:    of a date: one of `dates.FORMS`
    unit:    of a number: what stands behind it
    rare:    of a category: keys of those that became `other`
    """

    name: str
    type: str
    role: str = FEATURE
    why: str = ""
    missing: float = 0.0
    decimal: str = cells.POINT
    form: str = ""
    unit: str = ""
    rare: Tuple[str, ...] = ()
    features: Tuple[Feature, ...] = ()

    def reader(self) -> "Reader":
        return Reader(self)


class Reader:
    """Reads the cells of a column as the values of its features; it remembers those that it has read."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._places = [
            {name: at for at, name in enumerate(one.categories)} for one in column.features
        ]
        self._read: Dict[str, Tuple[float, ...]] = {}

    def values(self, cell: Any) -> Tuple[float, ...]:
        """Return the values of a cell, a text or a number, for each feature."""
        if not isinstance(cell, str):  # of JSON; to a dictionary, true and 1 are equal
            return self._values(cell)
        found = self._read.get(cell)
        if found is None:
            if len(self._read) >= MOST_REMEMBERED:
                self._read.clear()
            found = self._read[cell] = self._values(cell)
        return found

    @property
    def _nothing(self) -> Tuple[float, ...]:
        return (MISSING,) * len(self.column.features)

    def _values(self, cell: Any) -> Tuple[float, ...]:
        if self.column.type == NUMBER:
            found = as_number(cell, self.column.decimal)
            return self._nothing if found is None else (found,) * len(self.column.features)
        text = cells.cleaned(cell)
        if cells.is_missing(text):
            return self._nothing
        if self.column.type == CATEGORY:
            return tuple(float(places.get(cells.key(text), len(places))) for places in self._places)
        moment = dates.moment(text, self.column.form)
        if moment is None:
            return self._nothing
        return tuple(
            self._part(one, places, getattr(moment, one.part))
            for one, places in zip(self.column.features, self._places)
        )

    def _part(self, feature: Feature, places: "Dict[str, int]", value: float) -> float:
        return float(places.get(str(value), len(places))) if feature.is_category else value


def as_number(cell: Any, decimal: str) -> Optional[float]:
    """Return the number in a cell, or None, also if it is beyond MOST; in JSON, it needs no decimal sign.

    A text that is a number only with the other decimal sign is read with that: 3.5 in a file with 1.234,5.
    """
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        try:
            value = float(cell)
        except OverflowError:
            return None
    else:
        text = cells.cleaned(cell)
        found = cells.number(text, decimal) or cells.number(text, cells.other(decimal))
        if found is None:
            return None
        value = found.value
    return value if abs(value) <= MOST else None
