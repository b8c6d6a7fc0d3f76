"""Writes frames as an MP4: H.264 with PyAV, which browsers and phones play, or else MPEG-4 with OpenCV."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from engine.stage import StageError
from stages.media.frames import Frame
from stages.media.scaling import resized

MPEG4_NOTE = (
    "PyAV (av) with its H.264 encoder is not installed: annotated videos are MPEG-4 at a constant "
    "frame rate, which most browsers do not play"
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
        _write_mpeg4(path, same_size, frame_rate or 25.0)
        return MPEG4_NOTE
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


def _write_mpeg4(path: Path, frames: "Iterable[Frame]", frame_rate: float) -> None:
    try:
        import cv2
    except ImportError:
        raise StageError(
            "writing videos needs PyAV (av) or OpenCV, but neither is installed"
        ) from None
    writer = None
    for picture, _ in frames:
        if writer is None:
            size = (picture.shape[1], picture.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), frame_rate, size)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if writer is not None:
        writer.release()
