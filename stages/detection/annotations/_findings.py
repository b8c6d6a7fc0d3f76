"""Everything that is wrong in a data set: counted and named by kind, fixed or left out."""

from typing import NamedTuple

from engine.stage import note

NAMED = 5  # maximum number of files named in one note


class Kind(NamedTuple):
    """The words of a note: `done` 3 `what`s `which`."""

    done: str
    what: str
    which: str = ""


KINDS = {
    # files and pictures
    "ignored_files": Kind("ignored", "file", " not used by this data set"),
    "orphaned": Kind("skipped", "annotation", " without a picture"),
    "broken_annotations": Kind("skipped", "annotation", " that cannot be read"),
    "unannotated": Kind("skipped", "picture", " without an annotation"),
    "unassigned": Kind("skipped", "picture", " missing from the existing split"),
    "unreadable": Kind("skipped", "unreadable picture"),
    "mismatched": Kind("skipped", "picture", " annotated at a size that does not fit"),
    "unusable": Kind("skipped", "picture", " without a usable box"),
    "repeated_pictures": Kind("dropped", "picture", " stored under two names"),
    # boxes that are dropped
    "broken_boxes": Kind("dropped", "box", " that cannot be read"),
    "unknown_classes": Kind("dropped", "box", " of an unknown class"),
    "empty_boxes": Kind("dropped", "box", " without an area"),
    "outside_boxes": Kind("dropped", "box", " outside the picture"),
    "repeated_boxes": Kind("dropped", "box", " annotated twice"),
    # what is fixed
    "swapped_boxes": Kind("fixed", "box", " with swapped corners"),
    "clipped_boxes": Kind("clipped", "box", " at the border of the picture"),
    "respelt_labels": Kind("renamed", "class", " spelt differently in upper and lower case"),
    "renamed": Kind("matched", "annotation", " by file name, because the name inside differs"),
    "unsized": Kind("used the picture's own size for", "annotation", " without a size"),
    "scaled": Kind("scaled the boxes of", "picture", " annotated at another size"),
    "rotated": Kind("rotated the boxes of", "picture", " annotated before the EXIF rotation"),
}
_PLURALS = {"box": "boxes", "class": "classes"}


class Findings:
    """Collects what is wrong; each entry is the name of a file, and a reason if there is one."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {kind: [] for kind in KINDS}

    def add(self, kind: str, name: str, reason: object = "") -> None:
        self._names[kind].append(f"{name} ({reason})" if reason else name)

    def counts(self) -> dict[str, float]:
        """Return the number of entries by kind."""
        return {kind: float(len(names)) for kind, names in self._names.items()}

    def tell(self) -> None:
        """Note each kind once, with its number and some of the names."""
        for kind in KINDS:
            if sentence := self.sentence(kind):
                note(sentence)

    def sentence(self, *kinds: str) -> str:
        """Return the note on the first of these kinds that has been found, or an empty text."""
        found = next((kind for kind in kinds if self._names[kind]), None)
        return _sentence(KINDS[found], self._names[found]) if found else ""


def _sentence(kind: Kind, names: list[str]) -> str:
    what = kind.what if len(names) == 1 else _PLURALS.get(kind.what, f"{kind.what}s")
    files = list(dict.fromkeys(names))
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{kind.done} {len(names)} {what}{kind.which}: {', '.join(files[:NAMED])}{more}"
