"""Reads what describes a YOLO data set: the names of its classes, and its split."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from engine.stage import StageError
from stages.detection.annotations._fields import Broken, label
from stages.detection.annotations._files import Files

_PARTS = ("train", "val", "test")
_LISTS = {"train.txt", "val.txt", "valid.txt", "test.txt", "trainval.txt"}
_NAMES = {"classes.txt", "labels.txt", "obj.names", "predefined_classes.txt"}


@dataclass(slots=True)
class Description:
    """names: of classes by number; folders: by part; pictures: by part; files: that are no annotations."""

    names: dict[int, str] = field(default_factory=dict)
    folders: dict[Path, str] = field(default_factory=dict)
    pictures: dict[Path, str] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def part(self, picture: Path) -> str | None:
        """Return the part of a picture, or None if it is in none."""
        if picture in self.pictures:
            return self.pictures[picture]
        return next((self.folders[one] for one in picture.parents if one in self.folders), None)


def describe(files: Files) -> Description:
    """Return what data.yaml, or else a list of names, says; StageError: data.yaml is broken."""
    found = Description()
    for path in files.ending(".yaml", ".yml"):
        about = _parsed(path, files)
        if isinstance(about, dict) and "names" in about and not found.names:
            found.files.add(path)
            found.names = _names(about["names"], files.name(path))
            _read_split(found, about, path, files)
    lists = [
        path
        for path in files.ending(".txt", ".names")
        if path.name.lower() in _NAMES or path.suffix == ".names"
    ]
    for path in lists:
        found.files.add(path)
        if not found.names:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            names = [line for line in lines if line.strip()]
            found.names = _names(names, files.name(path))
    found.files |= {path for path in files.ending(".txt") if path.name.lower() in _LISTS}
    return found


def _parsed(path: Path, files: Files) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        line = str(error).replace("\n", " ")
        raise StageError(f"{files.name(path)} is not valid YAML: {line}") from None


def _names(given: Any, where: str) -> dict[int, str]:
    """Return names by number, from a list or a mapping."""
    try:
        pairs = given.items() if isinstance(given, dict) else enumerate(given or ())
        return {int(at): label(name) for at, name in pairs}
    except (TypeError, ValueError, OverflowError, Broken) as error:
        raise StageError(
            f"{where} has wrong class names ({error}): write `names:` with one name per class"
        ) from None


def _read_split(found: Description, about: dict[str, Any], path: Path, files: Files) -> None:
    """Find the folders, or lists of pictures, that train, val and test name.

    A folder or list that belongs to two parts is no split.
    """
    places: dict[Path, set[str]] = defaultdict(set)
    for part in _PARTS:
        value = about.get(part)
        for one in value if isinstance(value, list) else [value]:
            place = _place([about.get("path"), one], path, files)
            if place:
                places[place].add(part)
    if any(len(parts) > 1 for parts in places.values()):
        return
    for place, (part,) in places.items():
        if place.is_dir():
            found.folders[place] = part
        else:
            found.files.add(place)
            _read_list(found, place, part, files)


def _place(names: list[Any], path: Path, files: Files) -> Path | None:
    """Return the folder or file that data.yaml means, None if it is not in the user's folder.

    Exported paths often start in a folder of another machine, so only their last two names must fit.
    """
    if not isinstance(names[-1], str):
        return None
    text = "/".join(name for name in names if isinstance(name, str)).replace("\\", "/")
    words = [word for word in PurePosixPath(text).parts if word not in ("..", "/")]
    for base in (path.parent, files.root):
        for start in range(max(1, len(words) - 1)):
            place = base.joinpath(*words[start:])
            if place.exists() and place != base:
                return place
    return None


def _read_list(found: Description, place: Path, part: str, files: Files) -> None:
    for line in place.read_text(encoding="utf-8", errors="replace").splitlines():
        picture = files.picture_named(line, place) if line.strip() else None
        if picture:
            found.pictures[picture] = part
