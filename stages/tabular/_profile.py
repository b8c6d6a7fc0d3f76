"""The type of each column, and its values: what is a number, a date or a category."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Table
from stages.tasks.columns import cells, dates
from stages.tasks.columns.column import CATEGORY, DATE, MOST, NUMBER, Column, as_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 0.9  # share of the cells that must be numbers or dates, if some are words
MOST_WORDS = 20  # different words among numbers
VOTES = 2000  # cells of a column that decide on the usual decimal sign
_DIGITS = set("0123456789-")
_NUMERIC = _DIGITS | set("+.eE")
_CLOCK = re.compile(r"time|date|stamp|epoch|created|updated", re.IGNORECASE)
_SECONDS, _MILLISECONDS = (5e8, 4e9), (5e11, 4e12)  # 1985 to 2096


@dataclass(frozen=True)
class Profile:
    """A column, and its values in each row.

    numbers: (rows,) of a number, or of a date in days since 1970; NaN: missing
    codes:   (rows,) equal numbers for equal values; -1: missing
    keys:    of a category: the key of each code
    spoken:  of a category: its most frequent spelling, by key
    mixes_decimals: whether it would be numbers if they all had a decimal point, or all a decimal comma
    """

    column: Column
    codes: "NDArray[np.int64]"
    numbers: "NDArray[np.float64] | None" = None
    keys: Sequence[str] = ()
    spoken: "Mapping[str, str] | None" = None
    mixes_decimals: bool = False

    @property
    def present(self) -> "NDArray[np.bool_]":
        return self.codes >= 0

    @property
    def distinct(self) -> int:
        return int(self.codes.max(initial=-1)) + 1


def profiles(table: Table, findings: Findings) -> list[Profile]:
    """Return the profile of each column of a table."""
    usual = _decimal(table.columns)
    found = []
    for name, column in zip(table.names, table.columns, strict=True):
        one = _plain_numbers(name, column, usual) or _examined(name, column, usual, findings)
        found.append(one)
    return found


def _plain_numbers(name: str, column: Sequence[str], usual: str) -> Profile | None:
    """Return the profile of a column of digits only, quickly, or None if it may be something else."""
    if not set("".join(column)) <= (_DIGITS if usual == cells.COMMA else _NUMERIC):
        return None
    if not any(column) or any(one[:1] == "0" and cells.is_code(one) for one in column):
        return None
    try:
        numbers = np.array([one or "nan" for one in column]).astype(np.float64)
    except ValueError:
        return None
    present = numbers[~np.isnan(numbers)]
    if (np.abs(present) > MOST).any() or _since_1970(name, present):
        return None
    missing = round(1 - len(present) / len(numbers), 6)
    found = Column(name, NUMBER, missing=missing, decimal=usual)
    return Profile(found, _codes(numbers), numbers)


def _examined(name: str, column: Sequence[str], usual: str, findings: Findings) -> Profile:
    counts: Counter[str] = Counter()
    plain = {}
    for text, count in Counter(column).items():
        plain[text] = cells.cleaned(text)
        counts[plain[text]] += count
    typed = _typed(name, counts, usual)
    texts = [plain[text] for text in column]
    if typed.type == CATEGORY:
        found = _categories(typed, texts, counts, findings)
        return replace(found, mixes_decimals=_mixes_decimals(counts))
    read = {text: _value(typed, text, count, findings) for text, count in counts.items()}
    numbers = np.array([read[text] for text in texts], np.float64)
    missing = round(float(np.isnan(numbers).mean()), 6)
    return Profile(replace(typed, missing=missing), _codes(numbers), numbers)


def _codes(numbers: "NDArray[np.float64]") -> "NDArray[np.int64]":
    codes = np.full(len(numbers), -1, np.int64)
    present = ~np.isnan(numbers)
    codes[present] = np.unique(numbers[present], return_inverse=True)[1]
    return codes


def _decimal(columns: Sequence[Sequence[str]]) -> str:
    """Return the decimal sign of most numbers that leave no doubt."""
    votes = [_votes(dict.fromkeys(map(cells.cleaned, column[:VOTES]))) for column in columns]
    point, comma = (sum(one[at] for one in votes) for at in (0, 1))
    return cells.COMMA if comma > point else cells.POINT


def _votes(texts: Iterable[str]) -> tuple[int, int]:
    """Return how many cells are numbers only with a decimal point, and only with a decimal comma."""
    point = comma = 0
    for text in texts:
        if "," in text or "." in text:
            with_point = cells.number(text, cells.POINT) is not None
            with_comma = cells.number(text, cells.COMMA) is not None
            point += with_point and not with_comma
            comma += with_comma and not with_point
    return point, comma


def _mixes_decimals(counts: "Counter[str]") -> bool:
    """Return whether nearly all cells are numbers, some only with a decimal point, some with a comma."""
    values = {text: count for text, count in counts.items() if not cells.is_no_number(text)}
    if any(map(cells.is_code, values)) or not all(_votes(values)):
        return False
    signs = (cells.POINT, cells.COMMA)
    numeric = [text for text in values if any(cells.number(text, sign) for sign in signs)]
    return sum(values[text] for text in numeric) >= ENOUGH * sum(values.values())


def _typed(name: str, counts: "Counter[str]", usual: str) -> Column:
    """Return a column with its type and how to read it."""
    rows = counts.total()
    values = {text: count for text, count in counts.items() if not cells.is_missing(text)}
    share = 1 - sum(values.values()) / max(1, rows)
    column = Column(name, CATEGORY, missing=round(share, 6))
    if not values or any(map(cells.is_code, values)):
        return column
    return _number(column, values, usual) or _date(column, values) or column


def _number(column: Column, values: Mapping[str, int], usual: str) -> Column | None:
    """Return the column as numbers, or as seconds since 1970, or None."""
    point, comma = _votes(values)
    decimal = usual if point == comma else cells.COMMA if comma > point else cells.POINT
    read = {text: cells.number(text, decimal) for text in values if not cells.is_no_number(text)}
    words = [text for text, one in read.items() if one is None]
    numeric = sum(values[text] for text, one in read.items() if one is not None)
    units = {one.unit for one in read.values() if one is not None and one.unit}
    total = sum(values[text] for text in read)
    is_enough = numeric and numeric >= ENOUGH * total and len(words) <= MOST_WORDS
    if not is_enough or len(units) > 1:
        return None
    found = replace(column, type=NUMBER, decimal=decimal, unit=next(iter(units), ""))
    if form := _since_1970(column.name, [one.value for one in read.values() if one is not None]):
        return replace(found, type=DATE, form=form, decimal=cells.POINT)
    return found


def _since_1970(name: str, values: "Sequence[float] | NDArray[np.float64]") -> str:
    """Return the form of a column of timestamps, or an empty text."""
    if not _CLOCK.search(name):
        return ""
    forms = ((dates.SECONDS, _SECONDS), (dates.MILLISECONDS, _MILLISECONDS))
    for form, (low, high) in forms:
        if low <= min(values) and max(values) <= high:
            return form
    return ""


def _date(column: Column, values: Mapping[str, int]) -> Column | None:
    """Return the column as dates, or None."""
    form = _form(column.name, list(values))
    read = [text for text in values if dates.moment(text, form)]
    words = len(values) - len(read)
    enough = sum(values[text] for text in read) >= ENOUGH * sum(values.values())
    if not read or not enough or words > MOST_WORDS:
        return None
    return replace(column, type=DATE, form=form)


def _form(name: str, values: Sequence[str]) -> str:
    """Return the order of day, month and year, or that it is a time of day; note an order in doubt."""
    clocks = sum(dates.moment(text, dates.CLOCK) is not None for text in values)
    if clocks >= ENOUGH * len(values):
        return dates.CLOCK
    found = [one for one in map(dates.parts, values) if one]
    if not found or all(len(str(one[0])) == 4 for one in found):
        return dates.YEAR_FIRST
    if any(one[0] > 12 for one in found):
        return dates.DAY_FIRST
    if any(one[1] > 12 for one in found):
        return dates.MONTH_FIRST
    form = dates.MONTH_FIRST if found[0][3] == "/" else dates.DAY_FIRST
    note(
        f"'{name}': the dates may have the day or the month first, such as {values[0]}: read with the "
        f"{form}; write them as 2024-12-31 to be certain"
    )
    return form


def _value(column: Column, text: str, count: int, findings: Findings) -> float:
    """Return a number, or a date in days since 1970; NaN, with a finding, if it is neither.

    count: of the rows with this text
    """
    if column.type == DATE:
        moment = dates.moment(text, column.form)
        value = moment.time if moment else None
    else:
        value = as_number(text, column.decimal)
    if value is not None:
        return value
    if not cells.is_no_number(text):
        is_number = column.type == NUMBER and cells.number(text, column.decimal) is not None
        kind = "infinite" if is_number else "words_in_numbers"
        reason = f"{count} row{'s' * (count != 1)}"
        findings.add(kind, f"{column.name}: {_sheet.short(text)}", reason)
    return float("nan")


def _categories(
    column: Column, texts: Sequence[str], counts: "Counter[str]", findings: Findings
) -> Profile:
    spoken: dict[str, str] = {}
    for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if cells.is_missing(text):
            continue
        first = spoken.setdefault(cells.key(text), text)
        if first != text:
            findings.add("respelt", f"{column.name}: {_sheet.short(text)}")
    keys = sorted(spoken)
    place = {key: at for at, key in enumerate(keys)}
    code = {text: place.get(cells.key(text), -1) for text in counts}
    codes = np.array([code[text] for text in texts], np.int64)
    return Profile(column, codes, None, keys, spoken)
