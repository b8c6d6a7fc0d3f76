"""Where a wrong value was written: a word of the command line, or the key that another key refers to."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import UserError

_REFERS = re.compile(r"\$\{(params\.[\w.]+)\}")


def traced(mistake: UserError, command: Sequence[str]) -> UserError:
    """Return the mistake at the place where its value was written.

    mistake: at "FILE: stages.train.params.epochs", which may be `${params.epochs}` in the file
    command: the words that the user typed, such as `params.epochs=-1`
    """
    file, _, key = mistake.where.rpartition(": ")
    typed = {word.partition("=")[0].lstrip("+"): word for word in command if "=" in word}
    where = mistake.where
    refers = _REFERS.fullmatch(str(_value(file, key))) if key.startswith("stages.") else None
    if refers and key not in typed and _value(file, refers[1]) is not None:
        key = refers[1]
        where = f"{file}: {key}"
    return UserError(typed.get(key, where), mistake.what, mistake.fix)


def _value(file: str, key: str) -> Any:
    """Return what the file says at the key; None if it says nothing there."""
    from engine import yamlfile  # heavy: a request that is recalled reads no YAML

    value: Any = None
    with suppress(UserError, OSError):
        value = yamlfile.load(Path(file))
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
