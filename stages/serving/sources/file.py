"""A video file, or one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.media import kinds
from stages.serving.paths import is_file
from stages.serving.reading.clip import VideoClip
from stages.serving.reading.options import ReadingOptions
from stages.serving.reading.slides import Slides

if TYPE_CHECKING:
    from stages.serving.interfaces import Source


def recognises(text: str) -> bool:
    """Return whether it is the path of a file."""
    return is_file(text)


def make(text: str, options: ReadingOptions) -> Source:
    """Return the file."""
    path = Path(text)
    if kinds.is_picture(path):
        return Slides("file", path, options)
    return VideoClip(path, options)
