"""Mistakes of the user in options and rules: where, what is wrong, and how to fix it; exit status 2."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Iterable, Sequence

from engine.stage import StageError
from stages.serving.reading.address import masked

MOST_SHOWN = 400  # characters of a line of a message


@dataclass(frozen=True)
class Mistake:
    """One mistake, in three lines as everywhere in this project."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return "\n  ".join(visible(cut(one)) for one in (masked(self.where), self.what, self.fix))


class Mistakes(StageError):
    """Everything that is wrong; nothing was started."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest known word; if none is near, list them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"choose one of: {shown}" if names else "there are none"


def refused(where: str, what: str, fix: str) -> Mistakes:
    """Return the error of a single mistake."""
    return Mistakes([Mistake(where, what, fix)])


def cut(text: str, most: int = MOST_SHOWN) -> str:
    """Return the beginning of a text that is too long for a message, and how long the text is."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def visible(text: str) -> str:
    """Escape what a terminal would interpret: messages quote files and words."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
