"""Errors that the user can fix, and suggestions for misspelt words."""

import difflib
from collections.abc import Iterable, Sequence


class UserError(Exception):
    """An error that the user can fix: where it is, what is wrong, and what to write instead."""

    def __init__(self, where: str, what: str, fix: str) -> None:
        super().__init__(where, what, fix)
        self.where, self.what, self.fix = where, what, fix

    def __str__(self) -> str:
        return "\n  ".join(
            "".join(map(_visible, line)) for line in (self.where, self.what, self.fix)
        )


class UserErrors(UserError):
    """Several errors that the user can fix, such as all those of a file; as one error, it is the first."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__(errors[0].where, errors[0].what, errors[0].fix)
        self.errors = tuple(errors)


def _visible(letter: str) -> str:
    """Return the character, escaped if a terminal would interpret it: messages may quote any file."""
    return letter if letter.isprintable() else repr(letter)[1:-1]


def raise_all(mistakes: Sequence[UserError]) -> None:
    """Raise the mistakes together, in order; do nothing if there are none."""
    if mistakes:
        raise ExceptionGroup("the request is invalid", list(mistakes))


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Suggest the nearest known word; if none is near, return `otherwise` or list all."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if otherwise or not names:
        return otherwise or "there are none"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"choose one of: {shown}"
