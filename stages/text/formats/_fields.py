"""Texts in data that a user wrote: one or several, under any of the names that people use."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from engine.stage import StageError


def field(entry: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first of these keys, whatever its letter case; None: it has none."""
    folded = {str(key).casefold(): value for key, value in entry.items()}
    return next((folded[name] for name in names if folded.get(name) is not None), None)


def texts(value: Any, where: str) -> list[str]:
    """Return a text or a list of texts as a list; StageError: it is anything else."""
    values = [] if value is None else value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise StageError(f"{where} is {short(one)}: write a text, or a list of texts")
    return [str(one).strip() for one in values]


def filled(value: Any, where: str) -> list[str]:
    """Return the texts that are not empty."""
    return [one for one in texts(value, where) if one]


def mapping(value: Any, where: str, example: str) -> Mapping[str, Any]:
    """Return an object of the data; None is an empty one. StageError: it is anything else."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise StageError(f"{where} is {short(value)}: write {example}")
    return value


def entries(value: Any, where: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects; StageError: it is anything else."""
    if not isinstance(value, list):
        raise StageError(f"{where} is {short(value)}: write a list")
    for at, one in enumerate(value, 1):
        if not isinstance(one, Mapping):
            raise StageError(f"{where}, entry {at}, is {short(one)}: write an object with names")
    return value


def short(value: Any) -> str:
    """Return the beginning of a value; YAML's anchors can make one that is too large to write out."""
    return _SHORT.repr(value)


def _shortened() -> reprlib.Repr:
    made = reprlib.Repr()
    made.maxlevel, made.maxlist, made.maxdict = 2, 2, 2
    made.maxstring = made.maxother = 40
    return made


_SHORT = _shortened()
