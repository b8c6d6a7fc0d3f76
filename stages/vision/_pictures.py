"""Finds the pictures in a user's folder or CSV, and the class of each; opens no picture.

docs/usecases/image_recognition.md describes the layouts: one folder per class; train/ with test/,
val/ or both, which contain such folders; or a CSV with the columns file, label and optionally split.
"""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from engine.stage import StageError
from stages.media import kinds, splits

MOST_BYTES = 50_000_000  # of a CSV file
_HOW = "make one folder per class and put its pictures into it"


@dataclass(frozen=True)
class Source:
    """A picture: its path, its name relative to the user's folder, its class, and its part, if any."""

    path: Path
    name: str
    label: str
    split: "str | None" = None


@dataclass
class Found:
    """The pictures in a fixed order, and the names of other files and of class folders without pictures."""

    sources: "list[Source]" = field(default_factory=list)
    ignored: "list[str]" = field(default_factory=list)
    empty: "list[str]" = field(default_factory=list)

    @property
    def labels(self) -> "list[str]":
        """The classes, sorted."""
        return sorted({source.label for source in self.sources})

    @property
    def alike(self) -> "list[str]":
        """The classes that differ from another one only in letter case."""
        counts = Counter(label.casefold() for label in self.labels)
        return [label for label in self.labels if counts[label.casefold()] > 1]


def find(root: Path, fewest: int = 2) -> Found:
    """Return the pictures to read; StageError if the layout is unknown or there are too few classes."""
    found = _of_table(root) if root.is_file() else _of_folder(root)
    if len(found.labels) < fewest:
        if fewest == 1:
            raise StageError(f"{root.name} has no class: {_HOW}")
        there = f"the only one is {found.labels[0]}" if found.labels else "there are none"
        raise StageError(f"a classifier needs at least two classes, but {there}: {_HOW}")
    return found


def _of_folder(root: Path) -> Found:
    tables = [path for path in kinds.visible(root) if path.suffix.lower() == ".csv"]
    folders = [path for path in kinds.visible(root) if path.is_dir()]
    if len(tables) == 1 and not any(map(_holds_pictures, folders)):
        return _of_table(tables[0])
    if not folders:
        if len(tables) == 1:
            return _of_table(tables[0])
        raise StageError(f"{root.name} has no folders: {_HOW}")
    found = Found()
    parts = splits.of_folders(folders, "the pictures")
    for folder in parts or [root]:
        for entry in kinds.visible(folder):
            if entry.is_dir():
                _add_class(found, root, entry, parts.get(folder))
            else:
                found.ignored.append(entry.relative_to(root).as_posix())
    return found


def _holds_pictures(folder: Path) -> bool:
    """True for a folder of class folders or pictures: a CSV next to it is then not the list of them."""
    return any(path.is_dir() for path in kinds.visible(folder))


def _add_class(found: Found, root: Path, folder: Path, split: "str | None") -> None:
    """Add all pictures of a class, including those in subfolders.

    Spaces around the folder's name are not part of the class name.
    """
    label = folder.name.strip()
    if not label or not label.isprintable():
        raise StageError(f"{folder.name!r} is not a valid class name: rename the folder")
    before = len(found.sources)
    for path in kinds.below(folder):
        name = path.relative_to(root).as_posix()
        if kinds.may_be_picture(path):
            found.sources.append(Source(path, name, label, split))
        else:
            found.ignored.append(name)
    if len(found.sources) == before:
        found.empty.append(folder.relative_to(root).as_posix())


def _of_table(path: Path) -> Found:
    """Read a CSV `file,label[,split]`; file paths are relative to its folder."""
    if path.suffix.lower() != ".csv":
        raise StageError(f"{path.name} is neither a folder nor a CSV: {_HOW}")
    if path.stat().st_size > MOST_BYTES:
        raise StageError(
            f"{path.name} is larger than {MOST_BYTES // 1000000} MB and cannot be a list of files"
        )
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        columns = [(name or "").strip().casefold() for name in rows.fieldnames or ()]
        if not {"file", "label"} <= set(columns):
            raise StageError(
                f"{path.name} has the columns {', '.join(columns) or 'none'}: write file,label or "
                "file,label,split in its first line"
            )
        rows.fieldnames = columns
        return _listed(path, rows)


def _listed(table: Path, rows: "csv.DictReader[str]") -> Found:
    found, missing = Found(), []
    for row in rows:
        name, label = (row["file"] or "").strip(), (row["label"] or "").strip()
        word = (row.get("split") or "").strip()
        where = f"{table.name}, line {rows.line_num}"
        if not name or not label or not label.isprintable():
            raise StageError(f"{where}: a file and a label are required")
        split = splits.named(word)
        if word and split is None:
            raise StageError(f"{where}: '{word}' is not a split: write train, val or test")
        file = table.parent / name
        if not file.is_file():
            missing.append(name)
        found.sources.append(Source(file, name, label, split))
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise StageError(
            f"{table.name} lists {', '.join(missing[:3])}{more}, not found in {table.parent.name}/: "
            "write paths relative to the CSV's folder"
        )
    if any(one.split for one in found.sources) and not all(one.split for one in found.sources):
        raise StageError(f"{table.name} has a split for some files only: fill in the column")
    return found
