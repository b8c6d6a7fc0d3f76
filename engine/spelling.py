"""The spelling of values, and what a user means by a value that is parsed as something else.

Numbers are decimal, in files and on the command line. YAML and Hydra accept more: both read 5_882;
YAML reads 010 as 8, 1:30 as 90, and 0x10.
"""

import math
import re
from collections.abc import Callable, Iterator

_DECIMAL = re.compile(
    r"[-+]?(?:(?:0|[1-9]\d*)|(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?)", re.ASCII | re.IGNORECASE
)
_BASED = re.compile(r"[-+]?0[xob][\da-f]+", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?\b.*", re.ASCII | re.DOTALL)
_COMMA = re.compile(r"^([-+]?0),(\d+)$", re.ASCII)  # 1,500 may also be 1500
_MOST_DIGITS = 40
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PARTS = re.compile(r"[,\[\](){}]")
_LOGICAL = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def number(text: str) -> float | None:
    """Return the number that a user means: 5882 by `5_882`, 16 by `0x10`, 0.5 by `0,5`.

    None if the text is not a finite number.
    """
    plain = _COMMA.sub(r"\1.\2", text.strip().replace("_", ""))
    if len(plain) > _MOST_DIGITS:
        return None
    if _BASED.fullmatch(plain):
        return _based(plain)
    if re.fullmatch(r"[-+]?\d+", plain, re.ASCII):
        return int(plain)
    value = float(plain) if _DECIMAL.fullmatch(plain) else math.inf
    return value if math.isfinite(value) else None


def is_decimal(text: str) -> bool:
    """Return whether the text is a number in an accepted spelling: 10, -1.5, 2e-3."""
    return bool(_DECIMAL.fullmatch(text))


def not_decimal(text: str) -> tuple[str, str]:
    """Return what is wrong with a number in another spelling, and what to write instead."""
    meant = number(text)
    instead = "a decimal number" if meant is None else f"{meant}"
    return f"'{text}' is not a number here", f'write {instead}, or text in quotes: "{text}"'


def grouped(value: str) -> str | None:
    """Return the first number with a `_` in the value of an override, such as [1, 5_882]."""
    return next((part for part in _parts(value) if "_" in part and _is_read(part)), None)


def too_large(value: str) -> str | None:
    """Return the first number that is too large, such as 1e999, in the value of an override."""
    return next((part for part in _parts(value) if is_too_large(part)), None)


def is_too_large(text: str) -> bool:
    """Return whether the text is a number in digits that is parsed as infinite."""
    return any(map(str.isdigit, text)) and _is_read(text) and math.isinf(float(text))


def with_a_point(value: str) -> str:
    """Return a remark on a value that seems to be one number with a decimal comma, or nothing."""
    return f"; a number has a point: {number(value)}" if _COMMA.match(value) else ""


def shown(value: object) -> str:
    """Return a value in YAML's spelling: true, null, text in quotes."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def advice(value: object, wanted: str, accepts: Callable[[object], bool]) -> str:
    """Return what to write instead of a value that is refused.

    wanted: "a value of type int >= 1"
    """
    for meant in _meanings(value):
        if accepts(meant):
            is_quoted = isinstance(value, str) and (is_decimal(value) or value == shown(meant))
            return f"write {value}, without quotes" if is_quoted else f"write {shown(meant)}"
    if isinstance(value, bool | int | float) and accepts(str(value)):
        wanted = f'it in quotes: "{shown(value)}"'
    if isinstance(value, list) and accepts([]):  # its items are invalid
        return f"write {wanted}"
    return f"write {wanted}{_remark(value)}"


def _based(plain: str) -> int | None:
    try:
        return int(plain, 0)
    except ValueError:  # such as 0b2
        return None


def _parts(value: str) -> Iterator[str]:
    """Yield the parts between commas and brackets, outside quotes."""
    return map(str.strip, _PARTS.split(_QUOTED.sub("''", value)))


def _is_read(text: str) -> bool:
    """Return whether Python parses the text as a number; its rules for `_` are the same as Hydra's."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def _meanings(value: object) -> Iterator[object]:
    """Yield what a user may mean by a value of the wrong type."""
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if not isinstance(value, str):
        return
    for meant in (number(value), _LOGICAL.get(value.strip().lower())):
        if meant is not None:
            yield meant


def _remark(value: object) -> str:
    if isinstance(value, bool):
        return "; YAML reads yes, no, on and off as true and false"
    if value is None or value == "":
        return "; nothing is written here"
    if isinstance(value, list):
        return ", not a list; for a run with each of several values, write -m KEY=VALUE,VALUE"
    return "; this looks like a date" if _DATE.fullmatch(str(value)) else ""
