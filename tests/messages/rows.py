"""Rows of mistakes: the cause, the location in the message, a word of the description, and one of the fix.

The wording is free; a row only contains what a reader must find in it.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError

Row = tuple[Any, str, str, str]  # cause, location, a word of the description, a word of the fix
Told = list[str]  # location, description, fix


@dataclass(frozen=True, slots=True)
class Subject:
    """The rows of one subject, and how to produce a cause in a separate folder."""

    rows: Mapping[str, Row]
    provoke: Callable[[Any, Path], Sequence[Told]]


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A call in the engine that creates a UserError."""

    file: str
    line: int


def told(raised: BaseException, here: Path) -> list[Told]:
    """Return each mistake as its three lines; the test's own folder is {here}."""
    leaves = raised.exceptions if isinstance(raised, ExceptionGroup) else [raised]
    return [
        [part.replace(str(here), "{here}") for part in (leaf.where, leaf.what, leaf.fix)]
        for leaf in leaves
    ]


def has_word(text: str, word: str) -> bool:
    """Return whether the text has the word, and not only as a part of another."""
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text))


@contextmanager
def recorded() -> Iterator[set[Site]]:
    """Collect the calls that create a UserError in the context."""
    made, init = set[Site](), UserError.__init__

    def note(self: UserError, where: str, what: str, fix: str) -> None:
        caller = sys._getframe(1)
        made.add(Site(caller.f_code.co_filename, caller.f_lineno))
        init(self, where, what, fix)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UserError, "__init__", note)
        yield made
