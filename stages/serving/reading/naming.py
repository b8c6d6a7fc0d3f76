"""Gives each source a name, which pages, rules and messages use, and which holds no secret.

A user writes `TEXT` or `NAME=TEXT`; `@FILE` instead of the text reads it from the first line of a file,
so that a password is in no command line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple, Sequence, Set
from urllib.parse import urlsplit

from stages.serving.mistakes import refused
from stages.serving.paths import is_there
from stages.serving.reading.address import masked

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,31})=(.+)", re.DOTALL)
_CAMERA = re.compile(r"(?:/dev/video)?(\d{1,3})")
_MOST = 32  # characters
_MOST_BYTES = 4096
_FIX = "give @FILE with the source, such as rtsp://ADDRESS, in its first line"


class Named(NamedTuple):
    """A source as the user wrote it, and its name: letters, digits, - and _."""

    name: str
    text: str


def named(texts: Sequence[str]) -> List[Named]:
    """Return sources with different names, in order.

    Mistakes: a name is given twice, or the file of a text cannot be read.
    """
    found: List[Named] = []
    taken: Set[str] = set()
    for text in texts:
        match = None if is_there(text) else _NAMED.fullmatch(text)
        if match is None:
            text = _resolved(text)
            name = _other_than(taken, _name_of(text))
        else:
            name, text = match[1], _resolved(match[2])
        if name in taken:
            raise refused(
                f"source={name}=...",
                f"two sources are called {name!r}",
                "give each a NAME= of its own",
            )
        taken.add(name)
        found.append(Named(name, text))
    return found


def _resolved(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open("rb") as file:
            data = file.readline(_MOST_BYTES + 1)
        line = data.decode().strip()
    except OSError as error:
        raise refused(f"source={text}", f"it cannot be read: {error.strerror}", _FIX) from None
    except UnicodeDecodeError:
        line = "\0"
    if len(data) > _MOST_BYTES:
        what = f"its first line is longer than {_MOST_BYTES} bytes"
    elif not line.isprintable():
        what = "it is not text"
    elif not line:
        what = "its first line is empty"
    else:
        return line
    raise refused(f"source={text}", what, _FIX)


def _name_of(text: str) -> str:
    if match := _CAMERA.fullmatch(text):
        return f"camera{match[1]}"
    if text.startswith("-"):
        return "stdin"
    if "://" in text:
        try:
            words = urlsplit(masked(text)).hostname or "camera"
        except ValueError:
            words = "camera"
    else:
        words = Path(text).stem or "source"
    return re.sub(r"[^A-Za-z0-9_-]+", "-", words).strip("-")[:_MOST] or "source"


def _other_than(taken: Set[str], name: str) -> str:
    number = 2
    other = name
    while other in taken:
        other = f"{name}-{number}"
        number += 1
    return other
