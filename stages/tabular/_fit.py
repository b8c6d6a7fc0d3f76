"""Makes the features of a column from its training values: bins at quantiles, frequent categories."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.tabular._profile import Profile
from stages.tasks.columns import dates
from stages.tasks.columns.cells import cleaned
from stages.tasks.columns.column import CATEGORY, NUMBER, Column, Feature

if TYPE_CHECKING:
    from numpy.typing import NDArray

# chosen on the validation rows of tables with 220 to 6,500 training rows
FEWEST_BINS, MOST_BINS, ROWS_OF_BIN = 8, 32, 120
MOST_INPUTS = 4096  # of all columns; a table with more than 128 of them has fewer bins
MOST_CATEGORIES = 64
FEW_ROWS = 500  # below it, two rows are enough to know a category
ENOUGH_ROWS = 5  # to know a category, or that a value is missing
MOST_RARE = 2000  # rare categories that the package names


def usual_bins(rows: int, columns: int) -> int:
    """Return how many bins a number should have with this many training rows and columns."""
    by_rows = min(MOST_BINS, max(FEWEST_BINS, rows // ROWS_OF_BIN))
    return max(1, min(by_rows, MOST_INPUTS // columns))


def fitted(
    profile: Profile, rows: "NDArray[np.int64]", bins: int, texts: Sequence[str], is_split: bool
) -> Column:
    """Return the column with its features; rows: those of training.

    texts:    the column's cells
    is_split: the table is split by this date, so that time itself is beyond the range in the test
    """
    if profile.column.type == CATEGORY:
        return _category(profile, rows)
    if profile.column.type == NUMBER:
        feature = number(profile.column.name, values_of(profile, rows), bins)
        return replace(profile.column, features=(feature,))
    return _date(profile, rows, bins, texts, is_split)


def values_of(profile: Profile, rows: "NDArray[np.int64]") -> "NDArray[np.float64]":
    if profile.numbers is None:
        raise ValueError(f"{profile.column.name} has no numbers")
    return profile.numbers[rows]


def number(name: str, values: "NDArray[np.float64]", bins: int, part: str = "") -> Feature:
    """Return the feature for training values, NaN if missing."""
    present = values[~np.isnan(values)]
    lacking = len(values) - len(present)
    if not len(present):
        return Feature(name, part, edges=(0.0,), has_missing=False)
    found = edges(present, bins)
    median = float(np.sort(present)[len(present) // 2])
    return Feature(name, part, found, median, has_missing=lacking >= ENOUGH_ROWS)


def edges(values: "NDArray[np.float64]", bins: int) -> tuple[float, ...]:
    """Return the ends of at most `bins` bins: every value if they are few, otherwise quantiles.

    A value of which a bin would be full is an end of its own.
    """
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= bins + 1:
        return tuple(different.tolist())
    heavy = different[counts * bins > len(values)]
    rest = values[~np.isin(values, heavy)]
    shares = np.linspace(0, 1, max(2, bins + 1 - len(heavy)))
    parts = [heavy, different[[0, -1]]]
    if len(rest):
        parts.append(np.quantile(rest, shares, method="nearest"))
    found: list[float] = np.unique(np.concatenate(parts)).tolist()
    return tuple(found)


def _least(rows: int) -> int:
    return 2 if rows < FEW_ROWS else ENOUGH_ROWS


def _category(profile: Profile, rows: "NDArray[np.int64]") -> Column:
    codes = profile.codes[rows]
    counts = Counter(codes[codes >= 0].tolist())
    least, lacking = _least(len(rows)), int((codes < 0).sum())
    frequent = [code for code, count in counts.most_common(MOST_CATEGORIES) if count >= least]
    known = [profile.keys[code] for code in sorted(frequent)]
    rare = [profile.keys[code] for code in sorted(set(counts) - set(frequent))]
    feature = Feature(
        profile.column.name,
        categories=tuple(known),
        has_other=bool(rare),
        has_missing=lacking >= least,
    )
    return replace(
        profile.column,
        features=(feature,),
        rare=tuple(rare[:MOST_RARE]),
    )


def _date(
    profile: Profile, rows: "NDArray[np.int64]", bins: int, texts: Sequence[str], is_split: bool
) -> Column:
    """Return the parts of a date that differ between rows, and repeat: a month within a year is a time."""
    column = profile.column
    read = {text: dates.moment(cleaned(text), column.form) for text in set(texts)}
    moments = [one for at in rows.tolist() if (one := read[texts[at]])]
    found = []
    times = values_of(profile, rows)
    if not is_split:
        found.append(number(f"{column.name}: time", times, bins, "time"))
    span = float(np.nanmax(times) - np.nanmin(times)) if moments else 0.0
    for part, period in (("month", 366.0), ("weekday", 7.0), ("hour", 1.0)):
        values = sorted({getattr(one, part) for one in moments})
        if len(values) > 1 and span >= 1.5 * period:
            names = tuple(map(str, values))
            found.append(Feature(f"{column.name}: {part}", part, categories=names))
    return replace(column, features=tuple(found))
