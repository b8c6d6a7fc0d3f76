"""Recognises pictures and videos by suffix, and lists folders in natural order; opens no files."""

from collections.abc import Iterator
from pathlib import Path

from engine.stage.names import is_hidden, natural_order

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".3gp")
PICTURES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".pbm"),
)


def is_video(path: Path) -> bool:
    """Return whether the file has the suffix of a video."""
    return path.suffix.lower() in VIDEOS


def is_picture(path: Path) -> bool:
    """Return whether the file has the suffix of a picture."""
    return path.suffix.lower() in PICTURES


def may_be_picture(path: Path) -> bool:
    """Return whether the file has the suffix of a picture, or none: then its content decides."""
    return is_picture(path) or not path.suffix


def visible(folder: Path) -> "list[Path]":
    """Return a folder's entries in natural order (frame2 before frame10), without hidden ones."""
    found = (path for path in folder.iterdir() if not is_hidden(path.name))
    return sorted(found, key=lambda path: natural_order(path.name))


def below(folder: Path) -> "Iterator[Path]":
    """Yield the files of a folder and its subfolders, in natural order, without hidden ones."""
    for entry in visible(folder):
        if entry.is_dir():
            yield from below(entry)
        elif entry.is_file():
            yield entry
