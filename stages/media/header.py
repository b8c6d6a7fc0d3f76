"""Reads a picture's size and EXIF orientation without decoding it."""

from pathlib import Path
from typing import NamedTuple

from engine.stage import StageError
from stages.media import heif
from stages.media.orientation import UPRIGHT, Orientation
from stages.media.unreadable import Unreadable

_TAG = 0x0112  # EXIF
# EXIF 2.32, section 4.6.4: orientations 1 to 8
_ORIENTATIONS = (
    UPRIGHT,
    Orientation(False, True, False),
    Orientation(False, True, True),
    Orientation(False, False, True),
    Orientation(True, False, False),
    Orientation(True, True, False),
    Orientation(True, True, True),
    Orientation(True, False, True),
)


class Header(NamedTuple):
    """height and width in pixels as stored, and how the pixels become upright."""

    height: int
    width: int
    orientation: Orientation = UPRIGHT

    @property
    def stored(self) -> "tuple[int, int]":
        """Return the height and width of the stored picture."""
        return self.height, self.width

    @property
    def upright(self) -> "tuple[int, int]":
        """Return the height and width of the upright picture."""
        return (self.width, self.height) if self.orientation.transposed else self.stored


def read_header(path: Path) -> Header:
    """Return a picture's header.

    Unreadable: it is not a picture. StageError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise StageError("reading the size of a picture needs Pillow: install pillow") from None
    try:
        heif.prepare(path)
        with Image.open(path) as image:
            number = image.getexif().get(_TAG, 1)
            is_known = isinstance(number, int) and 1 <= number <= len(_ORIENTATIONS)
            orientation = _ORIENTATIONS[number - 1] if is_known else UPRIGHT
            return Header(image.height, image.width, orientation)
    except Unreadable:
        raise
    except Exception as error:  # Pillow passes on its decoders' exceptions
        raise Unreadable(str(error).partition("\n")[0] or type(error).__name__) from None
