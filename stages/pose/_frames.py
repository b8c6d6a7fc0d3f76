"""Reads pictures and videos as RGB arrays, and refuses what is broken, too large or not a picture
with `Unreadable`.

Pictures go through Pillow: it says when a file is truncated, where OpenCV returns a half-grey
picture.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 50_000_000


class Unreadable(Exception):
    """Why a file cannot be read, in a few words."""


def read_picture(path: Path) -> np.ndarray:
    """Return the picture upright, as its EXIF orientation says: (h, w, 3) uint8, RGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                _refuse_bomb(*picture.size)
                return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except Unreadable:
        raise
    except (
        Exception
    ) as error:  # Pillow raises whatever its decoders raise: OSError, SyntaxError, struct.error ...
        raise Unreadable(_in_a_few_words(error)) from None


def frame_rate(path: Path) -> float | None:
    """Return a video's frames a second; None where the file does not say."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    rate = float(video.get(cv2.CAP_PROP_FPS)) if video.isOpened() else 0.0
    video.release()
    return rate if 0 < rate < 1000 else None


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video: each (h, w, 3) uint8, RGB; Unreadable where there is not one."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise Unreadable("no video that can be decoded")
        _refuse_bomb(
            int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        )
        found = False
        while True:
            is_read, frame = video.read()
            if not is_read or frame is None:
                break
            found = True
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        if not found:
            raise Unreadable("no frame of the video can be decoded")
    finally:
        video.release()


def _refuse_bomb(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unreadable(
            f"{width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} million are read"
        )


def _in_a_few_words(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
