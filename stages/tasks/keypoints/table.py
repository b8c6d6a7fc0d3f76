"""Keypoints as CSV: columns <joint>_x, <joint>_y, <joint>_score in any case and order, one row a
frame.

An empty x, y or score means that the joint was not seen: its score is 0, and its place the one
where it was last seen.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.media.unreadable import Unreadable
from stages.tasks.keypoints.skeletons import SKELETONS


def read_clip(path: Path) -> "tuple[str, np.ndarray]":
    """Return the skeleton's name and (frames, joints, 3) of a CSV with one clip.

    Its frames may not go backwards.
    """
    skeleton, rows = open_table(path)
    frames, last = [], -math.inf
    for line, row in enumerate(rows, start=2):
        number = _number(row.get("frame") or str(line), f"line {line}, frame")
        if number <= last:
            raise Unreadable(f"line {line}: frame {number:g} does not come after {last:g}")
        last = number
        frames.append(keypoints_of(row, skeleton, line))
    if not frames:
        raise Unreadable("no row beside the header")
    return skeleton, _placed(np.stack(frames))


def write_clip(path: Path, keypoints: np.ndarray, skeleton: str) -> None:
    """Write (frames, joints, 3) as the CSV of one clip; joints with a score of 0 as empty cells."""
    header = [
        "frame",
        *(f"{joint}_{part}" for joint in SKELETONS[skeleton] for part in ("x", "y", "score")),
    ]
    lines = [",".join(header)]
    for frame, points in enumerate(keypoints.tolist()):
        cells = [f"{x:.1f},{y:.1f},{score:.3f}" if score > 0 else ",," for x, y, score in points]
        lines.append(f"{frame}," + ",".join(cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def open_table(path: Path) -> "tuple[str, list[dict[str, str]]]":
    """Return the skeleton that the header names, and the rows by their columns in lower case."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", restkey="")
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            return _skeleton_of(reader.fieldnames), list(_without_empty(reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"no CSV that can be read ({type(error).__name__})") from None


def keypoints_of(row: "dict[str, str]", skeleton: str, line: int) -> np.ndarray:
    """Return one row's (joints, 3)."""
    points = []
    for joint in SKELETONS[skeleton]:
        cells = [row[f"{joint}_{part}"].strip() for part in ("x", "y", "score")]
        seen = all(cells)
        point = (
            [_number(cell, f"line {line}, {joint}") for cell in cells] if seen else [0.0, 0.0, 0.0]
        )
        if not 0 <= point[2] <= 1:
            raise Unreadable(f"line {line}, {joint}_score: {point[2]:g} is not between 0 and 1")
        points.append(point)
    return np.array(points, np.float32)


def _skeleton_of(columns: "list[str]") -> str:
    for name, joints in SKELETONS.items():
        if all(f"{joint}_{part}" in columns for joint in joints for part in ("x", "y", "score")):
            return name
    raise Unreadable(
        f"its columns are not those of {' or '.join(SKELETONS)} (<joint>_x, <joint>_y, <joint>_score)"
    )


def _without_empty(rows: "csv.DictReader[str]") -> "Iterator[dict[str, str]]":
    return (row for row in rows if any(row.values()))


def _placed(keypoints: np.ndarray) -> np.ndarray:
    """Return a clip (frames, joints, 3) whose unseen joints stand where they were last, or will
    first be, seen.

    At 0, 0 they would stretch the body to the picture's corner. A joint never seen is put in the
    middle of the others.
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
        value = float(text)
    except ValueError:
        raise Unreadable(f"{where}: {text[:20]!r} is not a number") from None
    if not math.isfinite(value):
        raise Unreadable(f"{where}: {text[:20]!r} is not a finite number")
    return value
