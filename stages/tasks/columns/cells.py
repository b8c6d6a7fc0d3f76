"""Reads the text of single cells: what is missing, what is a number, what is the same word.

Numbers have a decimal point or a decimal comma, thousands separators of the other kind, and perhaps a unit
or a currency: 1,234.5 and 1.234,5 and 12 % and € 3.50. The column decides which of them are meant.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, NamedTuple, Optional, Pattern

POINT, COMMA = ".", ","  # decimal signs
_MISSING = {"", "?", "na", "n/a", "#n/a", "nan", "null", "nil", "<na>", "missing", "(null)", "."}
_NO_NUMBER = _MISSING | {"-", "--", "none", "unknown", "..", "*", "x", "n.a.", "n.d.", "nd"}
_SIGNS = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_CURRENCY = r"(?:[$€£¥₹]|EUR|USD|GBP|CHF|Rs\.?)"
_UNIT = r"[^\W\d_][^\W\d_/.]{0,5}(?:/[^\W\d_]{1,5})?|%|‰|°\s?[CFK]?|[$€£¥₹]"


class Number(NamedTuple):
    """The value of a cell, and the unit behind it, if any."""

    value: float
    unit: str = ""


def _pattern(thousands: str, decimal: str) -> "Pattern[str]":
    whole = rf"(?:[1-9]\d{{0,2}}(?:[{thousands}' ]\d{{3}})+|\d+)"
    number = rf"{whole}(?:{decimal}\d*)?|{decimal}\d+"
    return re.compile(
        rf"(?P<before>{_CURRENCY})?\s?(?P<sign>[+-]?)\s?(?P<after>{_CURRENCY})?\s?"
        rf"(?P<number>{number})(?P<power>[eE][+-]?\d+)?\s?(?P<unit>{_UNIT})?"
    )


_PATTERNS: Dict[str, "Pattern[str]"] = {
    POINT: _pattern(",", r"\."),
    COMMA: _pattern(r"\.", ","),
}


def cleaned(cell: Any) -> str:
    """Return a cell as text without spaces at its ends; None and true as CSV would have them."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return " ".join(str(cell).split())


def key(text: str) -> str:
    """Return what equal words have in common: they may differ in spaces and letter case."""
    return " ".join(text.split()).casefold()


def is_missing(text: str) -> bool:
    """Return whether a cell of any column says that it has no value: it is empty, ?, NA, NaN or null."""
    return text.casefold() in _MISSING


def is_no_number(text: str) -> bool:
    """Return whether a cell of a numeric column says that it has no value; there, - and none do, too."""
    return text.casefold() in _NO_NUMBER


def number(text: str, decimal: str = POINT) -> Optional[Number]:
    """Return the number that a cell contains, or None; it may be infinite, but not NaN."""
    if decimal == POINT:
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            return None if math.isnan(value) or "_" in text else Number(value)
    found = _PATTERNS[decimal].fullmatch(text.translate(_SIGNS))
    if found is None:
        return None
    digits = re.sub(r"[' .]" if decimal == COMMA else r"[' ,]", "", found["number"])
    value = float(f"{found['sign']}{digits.replace(',', '.')}{found['power'] or ''}")
    return Number(value, found["unit"] or found["before"] or found["after"] or "")


def other(decimal: str) -> str:
    """Return the other decimal sign."""
    return COMMA if decimal == POINT else POINT


def is_code(text: str) -> bool:
    """Return whether digits are the characters of a code, such as the postcode 01067."""
    return len(text) > 1 and text[0] == "0" and text.isdigit()
