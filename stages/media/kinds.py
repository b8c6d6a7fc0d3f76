"""Which files are pictures and which are videos, and the order of a folder's entries; opens no file."""

import re
from pathlib import Path

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".3gp")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def is_video(path: Path) -> bool:
    """Return whether the suffix is a video's."""
    return path.suffix.lower() in VIDEOS


def is_picture(path: Path) -> bool:
    """Return whether the suffix is a picture's."""
    return path.suffix.lower() in PICTURES


def visible(folder: Path) -> "list[Path]":
    """Return a folder's entries in natural order (frame2 before frame10), without hidden ones."""
    return sorted(
        (path for path in folder.iterdir() if not path.name.startswith((".", "__"))),
        key=natural_order,
    )


def natural_order(path: Path) -> "tuple[list[tuple[int, str]], str]":
    """Return the key that sorts numbers in names by their value."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name
