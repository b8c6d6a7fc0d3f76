"""Mistakes of the user in options and rules: where, what is wrong, and how to fix it; exit status 2."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Iterable, Sequence

from stages.serving.reading.address import masked


@dataclass(frozen=True)
class Mistake:
    """One mistake, in three lines as everywhere in this project."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return "\n  ".join(map(visible, (masked(self.where), self.what, self.fix)))


class Mistakes(Exception):
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


def visible(text: str) -> str:
    """Escape what a terminal would interpret: messages quote files and words."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
