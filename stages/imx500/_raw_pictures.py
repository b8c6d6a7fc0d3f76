"""Finds pictures for calibration among a part's raw items, for a network whose input no part holds.

The part of `pose_activity`, for example, has keypoints, but its raw items may be the pictures that they
come from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import note
from stages.media.kinds import is_picture, visible
from stages.media.pictures import read_picture
from stages.media.scaling import resized
from stages.media.unreadable import Unreadable
from stages.tflite import part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


def find(folder: Path, height: int, width: int, count: int) -> tuple[NDArray[np.uint8], str] | str:
    """Return pictures (n, height, width, 3), stretched as the camera does, and where they come from.

    A sentence that says why, if there are none. Clips get equal shares of `count`, evenly spaced in time.

    folder: the test part, since others have no raw items
    """
    items = part.items(folder)
    clips = [clip for item in items if (clip := _pictures_of(item.path))]
    if not clips:
        kinds = ", ".join(sorted({item.path.suffix.lower() or "folders" for item in items}))
        return (
            f"the raw items of the test part are no pictures to calibrate it with "
            f"({kinds or 'it has none'})"
        )
    chosen = [path for clip in clips for path in _spread(clip, max(1, count // len(clips)))]
    pictures = list(_read(chosen[:count], height, width))
    if not pictures:
        return f"none of the {len(chosen)} raw pictures of the test part can be read"
    whence = f"{len(pictures)} raw pictures of {len(clips)} items of the test part"
    return np.stack(pictures), whence


def _pictures_of(path: Path) -> list[Path]:
    """Return an item's pictures: itself, or those of a folder in order."""
    files = visible(path) if path.is_dir() else [path]
    return [file for file in files if is_picture(file)]


def _spread(clip: Sequence[Path], count: int) -> list[Path]:
    """Return up to `count` pictures of a clip, evenly spaced."""
    places = np.linspace(0, len(clip) - 1, min(count, len(clip)))
    return [clip[int(at)] for at in places]


def _read(paths: Sequence[Path], height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    for path in paths:
        try:
            yield resized(read_picture(path), width, height)
        except Unreadable as error:
            note(f"calibrating without {path.name}, which cannot be read: {error}")
