"""Reads single values of the rules file: durations, numbers, labels, polygons. Each function raises
ValueError with what is wrong and the fix.
"""

from __future__ import annotations

import re
from typing import Any, FrozenSet, List, Optional, Tuple

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
MOST_S = 7 * 24 * 3600.0
MOST_POINTS = 100
Polygon = Tuple[Tuple[float, float], ...]


def duration(value: Any) -> float:
    """Return seconds: 5, 5s, 500ms, 2m, 1h."""
    match = None if isinstance(value, bool) else DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{shown(value)} is not a duration", "write 5s, 500ms, 2m or 1h")
    seconds = float(match[1]) * UNITS[match[2]]
    if seconds > MOST_S:
        raise ValueError(f"{shown(value)} is longer than a week", "write a shorter duration")
    return seconds


def share(value: Any) -> float:
    """Return a number from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(
            f"{shown(value)} is not a number from 0 to 1", "write a number such as 0.6"
        )
    return float(value)


def count(value: Any) -> int:
    """Return a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{shown(value)} is not a whole number above 0", "write 1, 2, ...")
    return value


def labels(value: Any) -> FrozenSet[str]:
    """Return one or several labels."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(_is_word(one) for one in found):
        raise ValueError(f"{shown(value)} is not a label", "write a label, or a list of labels")
    return frozenset(map(str, found))


def text(value: Any) -> str:
    """Return a text of one line."""
    if not isinstance(value, str) or not value.strip() or "\n" in value.strip():
        raise ValueError(f"{shown(value)} is not one line of text", "write a line of text")
    return value.strip()


def polygon(value: Any) -> Polygon:
    """Return the corners of a zone: at least three pairs of x and y, from 0 to 1."""
    problem = _wrong_polygon(value)
    if problem:
        fix = "write corners as [x, y], fractions of width and height: [[0, 0], [0.5, 0], [0.5, 1]]"
        raise ValueError(problem, fix)
    return tuple((float(x), float(y)) for x, y in value)


def shown(value: Any) -> str:
    """Return a value as it is quoted in messages."""
    quoted = repr(value)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}..."


def _wrong_polygon(value: Any) -> Optional[str]:
    if not isinstance(value, list) or not 3 <= len(value) <= MOST_POINTS:
        return f"{shown(value)} is not a list of 3 to {MOST_POINTS} corners"
    wrong: List[Any] = [one for one in value if not _is_point(one)]
    return f"{shown(wrong[0])} is not a corner" if wrong else None


def _is_point(value: Any) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2
    return is_pair and all(_is_number(one) and 0 <= one <= 1 for one in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_word(value: Any) -> bool:
    is_plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return is_plain and bool(str(value).strip())
