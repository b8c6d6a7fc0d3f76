"""Reads 16-bit colours completely with Pillow, which keeps only the upper 8 bits of each value."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_NATIVE = sys.byteorder[0].upper()
_ARGS = 3  # in a tile, which is a plain tuple in older versions, such as 9.4 of Debian 12 on arm/v7
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
            lower.tile = [_with_args(tile, "RGBA") for tile in lower.tile]
            grey = np.asarray(ImageOps.exif_transpose(lower))[:, :, 1:2]
            return np.repeat(grey, 3, axis=2)
        lower.tile = [_with_args(tile, _swapped(tile[_ARGS])) for tile in lower.tile]
        return np.asarray(ImageOps.exif_transpose(lower).convert("RGB"))


def _raw_mode(image: "Image.Image") -> str:
    """Return the file's pixel layout, such as RGB;16B, which is the first argument of each decoder."""
    for tile in getattr(image, "tile", []):
        args = tile[_ARGS]
        return str(args if isinstance(args, str) else next(iter(args or ()), ""))
    return ""


def _with_args(tile: Any, args: Any) -> Any:
    """Return the tile with other arguments of its decoder."""
    return tile._replace(args=args) if hasattr(tile, "_replace") else (*tile[:_ARGS], args)


def _swapped(args: Any) -> Any:
    if isinstance(args, str):
        return args[:-1] + _SWAPPED[args[-1]]
    return (_swapped(args[0]), *args[1:])
