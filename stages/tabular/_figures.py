"""Draws what the columns of a table are, and how their values are distributed in the training rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note
from engine.stage.figures import histogram, table
from stages.tabular._columns import Columns
from stages.tabular._leaks import Leak
from stages.tabular._profile import Profile
from stages.tabular._target import Target
from stages.tasks.columns import dates
from stages.tasks.columns.column import CATEGORY, DATE, FEATURE, Column
from stages.tasks.columns.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 6  # categories in a cell of the table
LONGEST = 24  # characters of a category
MOST_COLUMNS = 24  # that are drawn
MOST_CLASSES = 4  # that are drawn; others are joined
MOST_CATEGORIES = 12  # of a column in the table of categories
BINS = 30
TAIL = 0.005  # share of the values below and above the range that is drawn
DAYS = 365.2425  # in a year
Groups = Mapping[
    str, "NDArray[np.bool_]"
]  # which of the training rows belong to a group, by its name


def draw(
    schema: Schema,
    known: Columns,
    goal: Target,
    rows: "NDArray[np.int64]",
    leaks: Sequence[Leak],
) -> None:
    """Record the figures; rows: those of training."""
    suspects = {one.column: f"suspected leak: {one.why}" for one in leaks}
    table(
        "columns",
        ("column", "type", "role", ("missing", "%"), "values", "inputs", "reason"),
        [
            _line(column, known.profiles[at], suspects.get(column.name, column.why))
            for at, column in enumerate(schema.columns)
        ],
    )
    groups = _groups(goal, rows)
    used = [one for one in known.used if one.column.name in {name.name for name in schema.used}]
    categories = [one for one in used if one.numbers is None]
    if categories:
        table(
            "categories",
            ("column", "category", "rows", *((name, "%") for name in groups)),
            [line for one in categories for line in _shares(one, rows, groups)],
        )
    numbers = [one for one in used if one.numbers is not None]
    for one in numbers[:MOST_COLUMNS]:
        _histogram(one, rows, groups)
    if len(numbers) > MOST_COLUMNS:
        note(
            f"the distribution of the first {MOST_COLUMNS} of {len(numbers)} numeric columns is drawn"
        )


def _line(column: Column, one: Profile, reason: str) -> tuple[object, ...]:
    inputs = sum(part.size for part in column.features) if column.role == FEATURE else None
    missing = round(100 * column.missing, 2)
    return column.name, column.type, column.role, missing, _values(column, one), inputs, reason


def _values(column: Column, one: Profile) -> str:
    """Return the range of a number or a date, or the most frequent categories."""
    if not one.distinct:
        return ""
    if column.type == CATEGORY:
        counts = np.bincount(one.codes[one.present])
        most = np.argsort(-counts, kind="stable")[:SHOWN]
        more = one.distinct - len(most)
        return ", ".join(_spoken(one, code) for code in most) + (
            f" and {more} more" if more else ""
        )
    numbers = one.numbers[one.present] if one.numbers is not None else np.zeros(1)
    low, high = float(numbers.min()), float(numbers.max())
    if column.form == dates.CLOCK:
        return f"{24 * low:.4g} to {24 * high:.4g} h"
    if column.type == DATE:
        return f"{np.datetime64(int(low // 1), 'D')} to {np.datetime64(int(high // 1), 'D')}"
    return f"{low:g} to {high:g} {column.unit}".strip()


def _spoken(one: Profile, code: int) -> str:
    text = (one.spoken or {}).get(one.keys[code], "")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _groups(goal: Target, rows: "NDArray[np.int64]") -> Groups:
    """Return the training rows of each class, or of each third of the numbers."""
    truth = goal.truth[rows]
    if goal.classes is not None:
        counts = np.bincount(goal.classes[rows], minlength=len(goal.labels))
        most = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
        found = {f"{goal.name} = {goal.labels[at]}"[:60]: truth == at for at in most}
        rest = ~np.isin(truth, most)
        return {**found, **({"all others": rest} if rest.any() else {})}
    low, high = np.quantile(truth, (1 / 3, 2 / 3))
    if not truth.min() < low < high < truth.max():
        middle = float(np.median(truth))
        return {f"{goal.name} <= {middle:g}": truth <= middle, f"> {middle:g}": truth > middle}
    return {
        f"{goal.name} <= {low:g}": truth <= low,
        f"{low:g} to {high:g}": (truth > low) & (truth <= high),
        f"> {high:g}": truth > high,
    }


def _shares(
    one: Profile, rows: "NDArray[np.int64]", groups: Groups
) -> Iterator[tuple[object, ...]]:
    """Yield each frequent category: its rows, and how many percent of them are in each group."""
    codes = one.codes[rows]
    counts = np.bincount(codes + 1)
    for code in np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]:
        chosen = codes == code - 1
        name = _spoken(one, code - 1) if code else "(missing)"
        if chosen.any():
            shares = [round(100 * float(group[chosen].mean()), 1) for group in groups.values()]
            yield one.column.name, name, int(chosen.sum()), *shares


def _histogram(one: Profile, rows: "NDArray[np.int64]", groups: Groups) -> None:
    if one.numbers is None:
        raise ValueError(f"{one.column.name} has no numbers")
    values, unit = one.numbers[rows], one.column.unit or None
    if one.column.form == dates.CLOCK:
        values, unit = 24 * values, "h"
    elif one.column.type == DATE:
        values, unit = 1970 + values / DAYS, "year"
    present = values[~np.isnan(values)]
    if not len(present):
        return
    edges = _edges(present)
    inside = np.clip(values, edges[0], edges[-1])
    series = {}
    for name, group in groups.items():
        counts = np.histogram(inside[group & ~np.isnan(values)], edges)[0]
        series[name] = (100 * counts / max(1, counts.sum())).round(3)
    name = one.column.name
    histogram(
        f"distribution of {name}", edges, series, x=name, y="rows of the group [%]", x_unit=unit
    )


def _edges(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the edges of the bins: one for each of few values; the tails are in the outer bins."""
    different = np.unique(values)
    if len(different) == 1:
        return np.array([different[0] - 0.5, different[0] + 0.5])
    if len(different) <= BINS:
        middles = (different[1:] + different[:-1]) / 2
        first, last = different[0] * 2 - middles[0], different[-1] * 2 - middles[-1]
        return np.concatenate([[first], middles, [last]])
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    if low == high:
        low, high = different[0], different[-1]
    return np.linspace(low, high, min(BINS, 8 + len(values) // 50) + 1)
