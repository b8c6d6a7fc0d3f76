"""Finds recordings with their own split: train_data.csv and test_data.csv, with optional pictures.

The format is that of the yoga poses of TensorFlow's pose tutorial: filename, <JOINT>_x, _y, _score
..., class_name, and images/train/<class>/*.jpg. If there are test pictures, only they are used for the
test: the keypoints of test_data.csv come from a larger model on a workstation, not from the device's.
"""

from pathlib import Path, PurePosixPath

from engine.stage import StageError
from stages.media.kinds import is_picture, visible
from stages.media.unreadable import Unreadable
from stages.pose._clips import Clip
from stages.pose._recordings import SPLITS, Source
from stages.tasks.keypoints import table as table_reader

# its keypoints come from another model: pictures, processed by the deployed model, count ten times as much
TABLE_WEIGHT = 0.1


def is_labelled_tables(folder: Path) -> bool:
    """Return whether the folder has both tables."""
    return all(_table(folder, split).is_file() for split in SPLITS)


def read(folder: Path, bad: "list[str]") -> "tuple[list[Clip], list[Source]]":
    """Return a one-frame clip per row and a source per picture; add invalid rows to `bad`.

    Rows of a test person are never in the train split, whatever the table says.
    """
    pictures = [source for split in SPLITS for source in _pictures(folder, split)]
    has_test_pictures = any(source.split == "test" for source in pictures)
    rows = [clip for split in SPLITS for clip in _rows(_table(folder, split), split, bad)]
    tested = {clip.person for clip in [*rows, *pictures] if clip.split == "test"} - {None}
    rows = [clip for clip in rows if clip.split != "train" or clip.person not in tested]
    pictures = [
        source for source in pictures if source.split != "train" or source.person not in tested
    ]
    return [clip for clip in rows if not (has_test_pictures and clip.split == "test")], pictures


def person_of(file_name: str, label: str) -> "str | None":
    """Return the person from a name of the form person_activity: guy3 for guy3_chair070.jpg."""
    person, _, rest = PurePosixPath(file_name).name.partition("_")
    return person if rest.startswith(label) else None


def _table(folder: Path, split: str) -> Path:
    return folder / f"{split}_data.csv"


def _rows(table: Path, split: str, bad: "list[str]") -> "list[Clip]":
    try:
        skeleton, rows = table_reader.open_table(table)
    except Unreadable as error:
        raise StageError(f"{table.name}: {error}") from None
    clips = []
    for row in rows:
        try:
            cells = row.cells()
            name, label = cells.get("filename", ""), cells.get("class_name", "").strip()
            if not label:
                raise Unreadable(f"line {row.line}: no class_name")
            keypoints = table_reader.keypoints_of(cells, skeleton, row.line)[None]  # (1, joints, 3)
        except Unreadable as error:
            bad.append(f"{table.name}: {error}")
            continue
        clips.append(
            Clip(
                f"{table.name}:{row.line}",
                skeleton,
                keypoints,
                label,
                person_of(name, label),
                split,
                weight=TABLE_WEIGHT,
            )
        )
    return clips


def _pictures(folder: Path, split: str) -> "list[Source]":
    root = folder / "images" / split
    if not root.is_dir():
        return []
    paths = [path for activity in visible(root) if activity.is_dir() for path in visible(activity)]
    return [
        Source(
            path.relative_to(folder).as_posix(), (path,), label, person_of(path.name, label), split
        )
        for path in paths
        if is_picture(path) and (label := path.parent.name)
    ]
