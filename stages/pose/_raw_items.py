"""Adds raw clips to the test part, in the form that a device gets, for `verify` and golden."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.pose._recordings import kind_of
from stages.tasks.keypoints.table import write_clip
from stages.tflite import part

MOST_BYTES = 4_000_000  # of one item; larger recordings are added as keypoints


def write(
    test: Path,
    clips: "Sequence[Mapping[str, Any]]",
    clip_of: "np.ndarray",
    rows: "np.ndarray",
    skeleton: str,
    recordings: "Path | None",
    longest: "int | None" = None,
) -> None:
    """Write some clips of every activity: the recording if it is small, otherwise its keypoints.

    clip_of: (windows,) the clip of each example; longest: leave out clips with more frames
    """
    part.raw_folder(test)
    items = {}
    for at in _chosen(clips, longest):
        clip, examples = clips[at], np.flatnonzero(clip_of == at)
        name = f"{len(items):02}"
        source = recordings / clip["clip"] if recordings else None
        if source and _is_recording(source) and _size(source) <= MOST_BYTES:
            name += source.suffix.lower() if source.is_file() else ""
            _copy(source, test / "raw" / name)
        else:
            name += ".csv"
            points = rows[clip["first"] : clip["first"] + clip["frames"]]
            write_clip(test / "raw" / name, points, skeleton)
        items[name] = (int(examples[0]), int(examples[-1]))
    part.write_items(test, items)


def _chosen(clips: "Sequence[Mapping[str, Any]]", longest: "int | None") -> "list[int]":
    """Return up to 16 clips: the first of each activity, then the second of each, and so on."""
    by_label: dict[str, list[int]] = {}
    for at, clip in enumerate(clips):
        if longest is None or clip["frames"] <= longest:
            by_label.setdefault(clip["label"], []).append(at)
    turns = sorted(
        (turn, label, at) for label, places in by_label.items() for turn, at in enumerate(places)
    )
    return [at for _, _, at in turns[: part.MOST_ITEMS]]


def _is_recording(path: Path) -> bool:
    """Return whether a device can read it: a picture, a keypoint CSV, or a folder of pictures.

    A device cannot read videos, because the runtime's images have no library to decode them.
    """
    if path.is_dir():
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        return bool(files) and all(kind_of(file) == "pictures" for file in files)
    return path.is_file() and kind_of(path) in ("pictures", "table")


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.iterdir() if one.is_file()]
    return sum(file.stat().st_size for file in files)


def _copy(source: Path, to: Path) -> None:
    """Copy a file, or the files of a picture folder."""
    if source.is_file():
        shutil.copyfile(source, to)
        return
    to.mkdir()
    for file in sorted(source.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, to / file.name)
