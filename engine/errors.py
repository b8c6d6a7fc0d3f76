"""Errors that the user can fix, and the nearest valid word for a wrong one."""

import difflib
from collections.abc import Iterable, Sequence


class UserError(Exception):
    """An error of the user: where it is, what is wrong, and what to write instead."""

    def __init__(self, where: str, what: str, fix: str) -> None:
        super().__init__(where, what, fix)
        self.where, self.what, self.fix = where, what, fix

    def __str__(self) -> str:
        return "\n  ".join(
            "".join(map(_visible, line)) for line in (self.where, self.what, self.fix)
        )


def _visible(letter: str) -> str:
    """Return the letter, or how it is written where a terminal would obey it; of a file's text,
    say.
    """
    return letter if letter.isprintable() else repr(letter)[1:-1]


def raise_all(mistakes: Sequence[UserError]) -> None:
    """Raise the mistakes together, in their order; do nothing if there are none."""
    if mistakes:
        raise ExceptionGroup("the request is invalid", list(mistakes))


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Name the nearest known word, or all of them where none is near."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if otherwise or not names:
        return otherwise or "there is none to choose from"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"choose one of: {shown}"
