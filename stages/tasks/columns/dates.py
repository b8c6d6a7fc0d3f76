"""Reads dates and times of a column: 2024-12-31, 31.12.2024, 12/31/2024, 31 Dec 2024, seconds since 1970, or
a time of day.

Time zones are ignored: the hour on the clock is what repeats from day to day.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Dict, NamedTuple, Optional, Tuple

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "year first", "day first", "month first"
SECONDS, MILLISECONDS = "seconds since 1970", "milliseconds since 1970"
CLOCK = "time of day"  # 18:30 or 18.30.00, on the first day of 1970
FORMS = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST, SECONDS, MILLISECONDS, CLOCK)
_EPOCH = date(1970, 1, 1).toordinal()
_TIME = (
    r"(?:,?[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s?(?P<half>[AaPp][Mm])?\s?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_NUMBERS = re.compile(r"(?P<a>\d{1,4})(?P<sign>[-/.])(?P<b>\d{1,2})(?P=sign)(?P<c>\d{1,4})" + _TIME)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?P<sign>[:.])(?P<minute>\d{2})(?:(?P=sign)(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s?(?P<half>[AaPp][Mm])?"
)
_WORDS = re.compile(
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[ -](?P<month>[^\W\d_]{3,9})\.?"
    r"|(?P<month2>[^\W\d_]{3,9})\.? (?P<day2>\d{1,2})(?:st|nd|rd|th)?),?[ -](?P<year>\d{4}|\d{2})"
    + _TIME
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Moment(NamedTuple):
    """A date with its time: days since 1970 with a fraction, month 1 to 12, weekday 0 to 6, hour 0 to 23."""

    time: float
    month: int
    weekday: int
    hour: int


def moment(text: str, form: str) -> Optional[Moment]:
    """Return the moment that a cell names, or None; form: one of FORMS."""
    if form in (SECONDS, MILLISECONDS):
        return _since_1970(text, 1.0 if form == SECONDS else 1000.0)
    if form == CLOCK:
        found = _CLOCK.fullmatch(text)
        return _moment((1970, 1, 1), found.groupdict()) if found else None
    found = _NUMBERS.fullmatch(text)
    if found:
        return _moment(_ordered(found["a"], found["b"], found["c"], form), found.groupdict())
    found = _WORDS.fullmatch(text)
    if not found:
        return None
    name = (found["month"] or found["month2"])[:3].casefold()
    if name not in _MONTHS:
        return None
    day = int(found["day"] or found["day2"])
    return _moment((_year(found["year"]), _MONTHS.index(name) + 1, day), found.groupdict())


def parts(text: str) -> Optional[Tuple[int, int, int, str]]:
    """Return the three numbers of a date in their order and the sign between them, or None."""
    found = _NUMBERS.fullmatch(text)
    return (int(found["a"]), int(found["b"]), int(found["c"]), found["sign"]) if found else None


def _ordered(a: str, b: str, c: str, form: str) -> Tuple[int, int, int]:
    if len(a) == 4 or form == YEAR_FIRST:
        return _year(a), int(b), int(c)
    if form == MONTH_FIRST:
        return _year(c), int(a), int(b)
    return _year(c), int(b), int(a)


def _year(text: str) -> int:
    """Return a year; of two digits, it is the one from 1970 to 2069."""
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 70 else 1900)


def _moment(
    year_month_day: Tuple[int, int, int], clock: "Dict[str, Optional[str]]"
) -> Optional[Moment]:
    try:
        day = date(*year_month_day)
    except ValueError:
        return None
    hour, minute, second = (int(clock[name] or 0) for name in ("hour", "minute", "second"))
    if clock["half"]:
        hour = hour % 12 + (12 if clock["half"].casefold() == "pm" else 0)
    if hour > 24 or minute > 59 or second > 60:
        return None
    seconds = 3600 * hour + 60 * minute + second
    time = day.toordinal() - _EPOCH + seconds / 86400
    return Moment(time, day.month, day.weekday(), hour % 24)


def _since_1970(text: str, unit: float) -> Optional[Moment]:
    try:
        seconds = float(text) / unit
        days, rest = divmod(seconds, 86400)
        day = date.fromordinal(int(days) + _EPOCH)
    except (ValueError, OverflowError):
        return None
    return Moment(seconds / 86400, day.month, day.weekday(), int(rest // 3600))
