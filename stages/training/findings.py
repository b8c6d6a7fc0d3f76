"""What is wrong in a user's data: counted and named by kind, in one note each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.stage import note

NAMED = 5  # maximum number of files named in one note
_PLURALS = {"box": "boxes", "class": "classes", "category": "categories"}


def listed(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the first names as text, `most` at most, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{separator.join(names[:most])}{more}"


class Kind(NamedTuple):
    """The words of a note: `done` 3 `what`s `which`."""

    done: str
    what: str
    which: str = ""


class Findings:
    """Collects what is wrong; each entry is the name of a file, and a reason if there is one."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._names: dict[str, list[str]] = {kind: [] for kind in kinds}

    def add(self, kind: str, name: str, reason: object = "") -> None:
        self._names[kind].append(f"{name} ({reason})" if reason else name)

    def counts(self) -> dict[str, float]:
        """Return the number of entries by kind."""
        return {kind: float(len(names)) for kind, names in self._names.items()}

    def tell(self) -> None:
        """Note each kind once, with its number and some of the names."""
        for kind in self._kinds:
            if sentence := self.sentence(kind):
                note(sentence)

    def sentence(self, *kinds: str) -> str:
        """Return the note on the first of these kinds that has been found, or an empty text."""
        found = next((kind for kind in kinds if self._names[kind]), None)
        return _sentence(self._kinds[found], self._names[found]) if found else ""


def _sentence(kind: Kind, names: list[str]) -> str:
    what = kind.what if len(names) == 1 else _PLURALS.get(kind.what, f"{kind.what}s")
    files = list(dict.fromkeys(names))
    return f"{kind.done} {len(names)} {what}{kind.which}: {listed(files, NAMED)}"
