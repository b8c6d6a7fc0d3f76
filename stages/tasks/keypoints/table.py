"""Keypoints as CSV: columns <joint>_x, <joint>_y, <joint>_score in any case and order, one row per
frame.

An empty x, y or score means that the joint was not seen: its score is 0, and its position is its last
known one.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.media.unreadable import Unreadable
from stages.tasks.keypoints.skeletons import SKELETONS

_PARTS = ("x", "y", "score")
_NAMED = 4  # columns of a foreign table that its message lists


class ForeignColumns(Unreadable):
    """The columns of a CSV match no skeleton; the message has the columns found and those expected."""


@dataclass(frozen=True)
class Row:
    """A row that is not empty, and its line in the file."""

    line: int
    columns: "tuple[str, ...]"  # in lower case
    values: "tuple[str, ...]"

    def cells(self) -> "dict[str, str]":
        """Return the values by column; raise Unreadable if the row is shorter or longer than the header.

        Ignore empty values after the last column, which spreadsheets write.
        """
        count, expected = len(self.values), len(self.columns)
        if count < expected:
            raise Unreadable(
                f"line {self.line}: the row is truncated after {count} of {expected} values"
            )
        if any(value.strip() for value in self.values[expected:]):
            raise Unreadable(f"line {self.line}: {count} values in {expected} columns")
        return dict(zip(self.columns, self.values))


def read_clip(path: Path) -> "tuple[str, np.ndarray]":
    """Return the skeleton's name and (frames, joints, 3) of a CSV with one clip.

    Frame numbers must ascend.
    """
    skeleton, rows = open_table(path)
    frames, last = [], -math.inf
    for row in rows:
        cells = row.cells()
        number = _number(cells.get("frame") or str(row.line), f"line {row.line}, frame")
        if number <= last:
            raise Unreadable(f"line {row.line}: frame {number:g} does not come after {last:g}")
        last = number
        frames.append(keypoints_of(cells, skeleton, row.line))
    if not frames:
        raise Unreadable("no row except the header")
    return skeleton, _placed(np.stack(frames))


def write_clip(path: Path, keypoints: np.ndarray, skeleton: str) -> None:
    """Write (frames, joints, 3) as the CSV of one clip, with empty cells for joints with a score of 0."""
    header = [
        "frame",
        *_columns(SKELETONS[skeleton]),
    ]
    lines = [",".join(header)]
    for frame, points in enumerate(keypoints.tolist()):
        cells = [f"{x:.1f},{y:.1f},{score:.3f}" if score > 0 else ",," for x, y, score in points]
        lines.append(f"{frame}," + ",".join(cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def open_table(path: Path) -> "tuple[str, list[Row]]":
    """Return the skeleton in the header, and the rows; raise ForeignColumns if there is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = tuple(name.strip().lower() for name in next(reader, []))
            skeleton = _skeleton_of(columns)
            rows = [Row(reader.line_num, columns, tuple(values)) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"not a readable CSV ({type(error).__name__})") from None
    return skeleton, [row for row in rows if any(row.values)]


def keypoints_of(cells: "dict[str, str]", skeleton: str, line: int) -> np.ndarray:
    """Return one row's (joints, 3)."""
    points = []
    for joint in SKELETONS[skeleton]:
        texts = [cells[f"{joint}_{part}"].strip() for part in _PARTS]
        point = [0.0, 0.0, 0.0]
        if all(texts):
            point = [_number(text, f"line {line}, {joint}") for text in texts]
        if not 0 <= point[2] <= 1:  # as written, since float32 rounds 1.0000001 to 1
            raise Unreadable(f"line {line}, {joint}_score: {texts[2][:20]} is not between 0 and 1")
        points.append(point)
    return np.array(points, np.float32)


def _skeleton_of(columns: "tuple[str, ...]") -> str:
    missing = {
        name: [column for column in _columns(joints) if column not in columns]
        for name, joints in SKELETONS.items()
    }
    nearest = min(missing, key=lambda name: len(missing[name]))
    if not missing[nearest]:
        return nearest
    if len(missing[nearest]) < len(_columns(SKELETONS[nearest])):
        found = f"its columns lack {_some(missing[nearest])} of {nearest}"
    else:
        found = f"its columns are {_some([name for name in columns if name]) or 'none'}"
    raise ForeignColumns(
        f"{found}; it needs <joint>_x, <joint>_y and <joint>_score for the joints of "
        f"{' or '.join(SKELETONS)}, see docs/data.md"
    )


def _columns(joints: "tuple[str, ...]") -> "list[str]":
    return [f"{joint}_{part}" for joint in joints for part in _PARTS]


def _some(names: "list[str]") -> str:
    shown = ", ".join(name[:20] for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _placed(keypoints: np.ndarray) -> np.ndarray:
    """Return a clip (frames, joints, 3) with unseen joints at their last, or else their first, known
    position.

    At 0, 0 they would stretch the body to the picture's corner. A joint that is never seen gets the mean
    position of the others.
    """
    seen = keypoints[:, :, 2] > 0  # (frames, joints)
    placed = keypoints.copy()
    for joint in np.flatnonzero(~seen.all(axis=0)):
        at = np.flatnonzero(seen[:, joint])
        if len(at):
            last = at[np.maximum(np.searchsorted(at, np.arange(len(seen)), side="right") - 1, 0)]
            placed[:, joint, :2] = keypoints[last, joint, :2]
        elif seen.any():
            placed[:, joint, :2] = keypoints[seen][:, :2].mean(axis=0)
    return placed


def _number(text: str, where: str) -> float:
    try:
        value = float(text.replace("_", "?"))  # only Python reads 5_882 as 5882
    except ValueError:
        raise Unreadable(f"{where}: {text[:20]!r} is not a number") from None
    if not math.isfinite(value):
        raise Unreadable(f"{where}: {text[:20]!r} is not a finite number")
    return value
