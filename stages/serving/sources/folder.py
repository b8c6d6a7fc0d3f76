"""A folder with pictures and videos, its subfolders included, in natural order."""

from __future__ import annotations

from pathlib import Path

from stages.serving.paths import is_folder
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.slides import Slides


def recognises(text: str) -> bool:
    """Return whether it is the path of a folder."""
    return is_folder(text)


def make(text: str, options: ReadingOptions) -> Slides:
    """Return the folder."""
    return Slides("folder", Path(text), options)
