"""Finds the clips in a user's folder of recordings, in a fixed order, without reading any file.

The layouts are those of docs/data.md: a sub-folder for each activity, or train/ with test/, val/ or
both, which contain such folders.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.stage import StageError
from stages.media.kinds import PICTURES, VIDEOS, visible
from stages.media.splits import of_folders as splits_of

TABLES = (".csv",)
SPLITS = ("train", "test")
_HOW = "make a sub-folder for each activity and put its videos, pictures or keypoint CSVs into it"


@dataclass(frozen=True)
class Source:
    """The file of a clip, or the files of a picture folder in order."""

    name: str
    paths: "tuple[Path, ...]"
    label: "str | None" = None
    person: "str | None" = None
    split: "str | None" = None

    @property
    def kind(self) -> str:
        """Return video, pictures or table."""
        return kind_of(self.paths[0])


@dataclass
class Found:
    """The contents of a folder: the clips' sources, the activities with a folder, and the ignored
    names.
    """

    sources: "list[Source]" = field(default_factory=list)
    labels: "set[str]" = field(default_factory=set)
    ignored: "list[str]" = field(default_factory=list)


def find(root: Path) -> Found:
    """Return the readable contents; raise StageError for an unknown layout."""
    if root.is_file():
        if not kind_of(root):
            raise StageError(
                f"{root.name} is not a video, picture or keypoint CSV "
                f"({', '.join(VIDEOS + PICTURES + TABLES)})"
            )
        return Found([Source(root.name, (root,), person=person_of(root.stem))])
    if not root.is_dir():
        raise StageError(f"the recordings {root.name} are neither a file nor a folder")
    folders = [path for path in visible(root) if path.is_dir()]
    if not folders:
        raise StageError(f"the recordings contain no activity: {_HOW}")
    found = Found()
    splits = splits_of(folders, "the recordings")
    for folder, split in splits.items():
        _add_activities(found, root, folder, split)
    if not splits:
        _add_activities(found, root, root, None)
    return found


def kind_of(path: Path) -> str:
    """Return video, pictures or table, by a file's suffix; empty for any other suffix."""
    for kind, suffixes in (("video", VIDEOS), ("pictures", PICTURES), ("table", TABLES)):
        if path.suffix.lower() in suffixes:
            return kind
    return ""


def person_of(stem: str) -> "str | None":
    """Return the person from a file's name: anna for anna__clip3."""
    person, separator, _ = stem.partition("__")
    return person if separator and person else None


def _add_activities(found: Found, root: Path, folder: Path, split: "str | None") -> None:
    for entry in visible(folder):
        if not entry.is_dir():
            found.ignored.append(entry.relative_to(root).as_posix())
            continue
        if not entry.name.isprintable() or entry.name != entry.name.strip():
            raise StageError(f"{entry.name!r} is not a valid activity name: rename the folder")
        found.labels.add(entry.name)
        clips = list(_clips_of(found, root, entry, split))
        if not clips and (nested := _nested(entry)):
            where = entry.relative_to(root).as_posix()
            raise StageError(
                f"{nested.relative_to(root).as_posix()} is nested one folder too deep for "
                f"a clip of an activity: set assets.recordings to {where}, or move the "
                "clips of each activity into one folder"
            )
        found.sources.extend(clips)


def _nested(activity: Path) -> "Path | None":
    """Return a recording in a nested folder of the activity, if there is one."""
    files = (
        path
        for folder in visible(activity)
        if folder.is_dir()
        for path in sorted(folder.rglob("*"))
    )
    return next((path for path in files if path.is_file() and kind_of(path)), None)


def _clips_of(found: Found, root: Path, activity: Path, split: "str | None") -> Iterator[Source]:
    for entry in visible(activity):
        name = entry.relative_to(root).as_posix()
        paths = (
            [path for path in visible(entry) if kind_of(path) == "pictures"]
            if entry.is_dir()
            else [entry]
        )
        if paths and kind_of(paths[0]):
            person = person_of(entry.name if entry.is_dir() else entry.stem)
            yield Source(name, tuple(paths), activity.name, person, split)
        else:
            found.ignored.append(name)
