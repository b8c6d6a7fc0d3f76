"""Reads 16-bit colours completely with Pillow, which keeps only the upper 8 bits of each value."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_NATIVE = sys.byteorder[0].upper()
_GREY_AND_ALPHA = "LA;16B"  # has no swapped mode; its four bytes can be read as an 8-bit colour
_SWAPPED = {
    "B": "L",
    "L": "B",
    "N": "B" if _NATIVE == "L" else "L",
}  # suffixes of Pillow's raw modes


def lower_bytes(path: Path, image: "Image.Image") -> "Optional[np.ndarray]":
    """Return the lower byte of each value, (h, w, 3) uint8, RGB, upright; None if there is none.

    image: the same file, opened by Pillow but not decoded yet. In the swapped byte order, Pillow keeps
    the lower byte.
    """
    from PIL import Image, ImageOps

    if image.mode not in ("RGB", "RGBA") or ";16" not in _raw_mode(image):
        return None
    with Image.open(path) as lower:
        if _raw_mode(image) == _GREY_AND_ALPHA:
            lower.tile = [tile._replace(args="RGBA") for tile in lower.tile]
            grey = np.asarray(ImageOps.exif_transpose(lower))[:, :, 1:2]
            return np.repeat(grey, 3, axis=2)
        lower.tile = [tile._replace(args=_swapped(tile.args)) for tile in lower.tile]
        return np.asarray(ImageOps.exif_transpose(lower).convert("RGB"))


def _raw_mode(image: "Image.Image") -> str:
    """Return the file's pixel layout, such as RGB;16B, which is the first argument of each decoder."""
    for tile in getattr(image, "tile", []):
        return str(tile.args if isinstance(tile.args, str) else next(iter(tile.args or ()), ""))
    return ""


def _swapped(args: Any) -> Any:
    if isinstance(args, str):
        return args[:-1] + _SWAPPED[args[-1]]
    return (_swapped(args[0]), *args[1:])
