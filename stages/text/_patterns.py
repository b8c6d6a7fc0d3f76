"""Checks the user's regular expressions, so that no sentence can keep a chatbot busy for long.

Python's matcher tries the ways in which a pattern can match one after another. Their number is bounded
here from the pattern alone, for matches of at most 64 characters; without repeats inside repeats it is
small. The subset leaves out lookaround and back references, whose cost has no such bound.
"""

import re
from re import _constants, _parser  # type: ignore[attr-defined] # undocumented, but there since 1.5
from typing import Any

from engine.stage import StageError
from stages.tasks.text.entities import LONGEST_MATCH

MOST_WAYS = 300_000  # three unlimited repeats, one after another
MOST_LENGTH = 500  # characters of a pattern
_SINGLE = {"LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY", "AT"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def check(pattern: str, entity: str) -> None:
    """Raise StageError if the pattern is invalid, outside the subset, or too costly."""
    where = f"the pattern of the entity '{entity}', {pattern[:80]!r}"
    if len(pattern) > MOST_LENGTH:
        raise StageError(f"{where}, is longer than {MOST_LENGTH} characters: use a list of values")
    try:
        re.compile(pattern)
        ways = _ways(_parser.parse(pattern), where)
    except (re.error, OverflowError, RecursionError) as error:
        raise StageError(f"{where}, is not a regular expression: {error}") from None
    if ways > MOST_WAYS:
        raise StageError(
            f"{where}, could take very long on some sentences: write no repeat inside a repeat, such as "
            "(a+)+, and at most three of *, + and {m,n}"
        )


def _ways(parsed: Any, where: str) -> int:
    """Return a bound of the ways to match a sequence of a pattern's parts."""
    total = 1
    for kind, value in parsed:
        total = min(total * _ways_of(str(kind), value, where), MOST_WAYS + 1)
    return total


def _ways_of(kind: str, value: Any, where: str) -> int:
    if kind in _SINGLE:
        return 1
    if kind == "BRANCH":
        return sum(_ways(one, where) for one in value[1])
    if kind == "SUBPATTERN":
        return _ways(value[-1], where)
    if kind in _REPEATS:
        least, most, inner = value
        return _repeated(_ways(inner, where), least, most)
    raise StageError(
        f"{where}, uses {kind.replace('_', ' ').lower()}: write it without lookaround and references"
    )


def _repeated(ways: int, least: int, most: Any) -> int:
    """Return the ways to repeat something that matches in so many ways."""
    times = LONGEST_MATCH if most is _constants.MAXREPEAT else min(int(most), LONGEST_MATCH)
    first = min(int(least), times)
    if ways == 1:
        return times - first + 1
    if times > 20:  # already 2 ** 20
        return MOST_WAYS + 1
    return sum(ways**count for count in range(first, times + 1))
