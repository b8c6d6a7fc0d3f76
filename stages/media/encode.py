"""Writes frames as an MP4: H.264, which browsers and phones play, with PyAV or Debian's OpenCV, or else
MPEG-4 with another OpenCV.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.media.frames import Frame
from stages.media.scaling import resized

MPEG4_NOTE = (
    "no encoder for H.264 is installed (PyAV, or Debian's python3-opencv): annotated videos are "
    "MPEG-4 at a constant frame rate, which most browsers do not play"
)


def write_video(path: Path, frames: "Iterable[Frame]", frame_rate: "float | None" = None) -> str:
    """Write the frames with their own times; return a note about limited playback, or "".

    The size is that of the first frame, made even; other frames are scaled to it. frame_rate: frames
    per second, used if times cannot be kept. StageError: no encoder is installed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    same_size = _of_one_even_size(frames)
    try:
        from stages.media.h264 import write_h264
    except ImportError:
        return _write_by_opencv(path, same_size, frame_rate or 25.0)
    write_h264(path, same_size, frame_rate or 25.0)
    return ""


def _of_one_even_size(frames: "Iterable[Frame]") -> "Iterator[Frame]":
    """Make sides even by repeating the last row or column: H.264 has colour at half the resolution."""
    size = None
    for picture, time_s in frames:
        size = size or picture.shape[1::-1]
        picture = resized(picture, *size)
        odd = ((0, size[1] % 2), (0, size[0] % 2), (0, 0))
        yield Frame(np.pad(picture, odd, mode="edge"), time_s)


def _write_by_opencv(path: Path, frames: "Iterable[Frame]", frame_rate: float) -> str:
    """Write the frames at a constant rate; return the note, or "" if it is H.264."""
    try:
        import cv2
    except ImportError:
        raise StageError(
            "writing videos needs PyAV (av) or OpenCV, but neither is installed"
        ) from None
    writer, note = None, ""
    for picture, _ in frames:
        if writer is None:
            writer, note = _opened(path, (picture.shape[1], picture.shape[0]), frame_rate)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if writer is not None:
        writer.release()
    return note


def _opened(path: Path, size: "tuple[int, int]", frame_rate: float) -> "tuple[Any, str]":
    """Return a writer, and the note. OpenCV of Debian has an encoder for H.264, that of PyPI has none."""
    import cv2

    level = cv2.setLogLevel(0)  # it is no error that there is no encoder
    try:
        fourcc = cv2.VideoWriter_fourcc(*"avc1")
        writer = cv2.VideoWriter(str(path), fourcc, frame_rate, size)
    finally:
        cv2.setLogLevel(level)
    if writer.isOpened():
        return writer, ""
    fourcc = cv2.VideoWriter_fourcc(*"mp4v")
    return cv2.VideoWriter(str(path), fourcc, frame_rate, size), MPEG4_NOTE
