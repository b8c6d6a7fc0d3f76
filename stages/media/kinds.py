"""Which files are pictures and which are videos, and the order of a folder's entries; opens no file."""

from collections.abc import Iterator
from pathlib import Path

from engine.stage.names import is_hidden, natural_order

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".3gp")
PICTURES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".pbm"),
)


def is_video(path: Path) -> bool:
    """Return whether the suffix is a video's."""
    return path.suffix.lower() in VIDEOS


def is_picture(path: Path) -> bool:
    """Return whether the suffix is a picture's."""
    return path.suffix.lower() in PICTURES


def may_be_picture(path: Path) -> bool:
    """Return whether the suffix is a picture's, or missing: the content decides then."""
    return is_picture(path) or not path.suffix


def visible(folder: Path) -> "list[Path]":
    """Return a folder's entries in natural order (frame2 before frame10), without hidden ones."""
    found = (path for path in folder.iterdir() if not is_hidden(path.name))
    return sorted(found, key=lambda path: natural_order(path.name))


def below(folder: Path) -> "Iterator[Path]":
    """Yield the files of a folder and of the folders in it, in natural order, without hidden ones."""
    for entry in visible(folder):
        if entry.is_dir():
            yield from below(entry)
        elif entry.is_file():
            yield entry
