"""Draws what the columns of a table are, and how their values are distributed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage.figures import table
from stages.tabular._columns import Columns
from stages.tabular._leaks import Leak
from stages.tabular._target import Target
from stages.tasks.columns.column import CATEGORY, DATE, FEATURE, NUMBER, Column
from stages.tasks.columns.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 6  # categories in a cell of the table


def draw(
    schema: Schema,
    known: Columns,
    goal: Target,
    rows: "NDArray[np.int64]",
    leaks: Sequence[Leak],
) -> None:
    """Record the figures; rows: those of training."""
    suspects = {one.column: one.why for one in leaks}
    lines = []
    for at, column in enumerate(schema.columns):
        why = column.why or (
            f"suspected leak: {suspects[column.name]}" if column.name in suspects else ""
        )
        lines.append(
            (
                column.name,
                column.type,
                column.role,
                why,
                100 * column.missing,
                _values(column, known, at),
                sum(one.size for one in column.features) if column.role == FEATURE else None,
            )
        )
    table(
        "columns",
        ("column", "type", "role", "reason", ("missing", "%"), "values", "inputs"),
        lines,
    )


def _values(column: Column, known: Columns, at: int) -> str:
    """Return the range of a number, or the most frequent categories."""
    one = known.profiles[at]
    if not one.distinct:
        return ""
    if column.type == CATEGORY:
        counts = np.bincount(one.codes[one.present])
        most = np.argsort(-counts, kind="stable")[:SHOWN]
        names = ", ".join((one.spoken or {}).get(one.keys[code], "")[:24] for code in most)
        more = one.distinct - len(most)
        return f"{names} and {more} more" if more > 0 else names
    numbers = one.numbers[one.present] if one.numbers is not None else np.zeros(1)
    low, high = float(numbers.min()), float(numbers.max())
    if column.type == DATE:
        return f"{np.datetime64(int(low), 'D')} to {np.datetime64(int(high), 'D')}"
    unit = f" {column.unit}" if column.type == NUMBER and column.unit else ""
    return f"{low:g} to {high:g}{unit}"
