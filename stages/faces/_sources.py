"""Finds the pictures of each person in a user's folder; opens no picture."""

from dataclasses import dataclass, field
from pathlib import Path

from engine.stage import StageError
from stages.faces import _names
from stages.media import kinds
from stages.tasks.faces import UNKNOWN

_HOW = "make one folder per person, named like the person, and put at least one picture into each"


@dataclass(frozen=True)
class Source:
    """A picture: its path, whose it is, and its name, which begins with the person's: "Ada/1.jpg"."""

    path: Path
    name: str
    person: str


@dataclass
class Found:
    """The pictures in natural order, and the names of other files and of folders without pictures."""

    sources: "list[Source]" = field(default_factory=list)
    ignored: "list[str]" = field(default_factory=list)
    empty: "list[str]" = field(default_factory=list)


def find(root: Path, fewest: int = 2) -> Found:
    """Return the pictures to read.

    Forms of a name that differ only in how its letters are composed, or in spaces around it, are one
    person's. StageError: fewer people than `fewest` have pictures; a name that is none, or `unknown`.
    """
    if not root.is_dir():
        raise StageError(f"{root.name} is not a folder: {_HOW}")
    found = Found()
    for entry in kinds.visible(root):
        if entry.is_dir():
            _add(found, root, entry)
        else:
            found.ignored.append(entry.name)
    if len({one.person for one in found.sources}) < fewest:
        people = "nobody" if fewest == 1 else "fewer than two people"
        raise StageError(f"{root.name} has pictures of {people}: {_HOW}")
    return found


def _add(found: Found, root: Path, folder: Path) -> None:
    """Add the pictures of a person, including those in subfolders; two folders may be of one person."""
    person = _names.normal(folder.name)
    if not person or not person.isprintable():
        raise StageError(f"{folder.name!r} is not a name: rename the folder")
    if person == UNKNOWN:
        raise StageError(
            f"nobody can be called {UNKNOWN!r}, as this is the answer for strangers: rename the folder"
        )
    before = len(found.sources)
    for path in kinds.below(folder):
        name = f"{person}/{path.relative_to(folder).as_posix()}"
        if kinds.may_be_picture(path):
            found.sources.append(Source(path, name, person))
        else:
            found.ignored.append(name)
    if len(found.sources) == before:
        found.empty.append(folder.name)
