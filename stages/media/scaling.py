"""Changes a picture's size, with Pillow if it is installed and with OpenCV otherwise.

Training and device must see the same pixels. Pillow computes with integers and gives the same pixels on
every platform; OpenCV's differ (by 2 of 255 in a photo at half its size, by more at odd ratios), and
images for devices do not contain it.
"""

import numpy as np

from engine.stage import StageError


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a uint8 (h, w, 3) picture as (height, width, 3), bilinear; smaller sizes are antialiased.

    StageError: neither Pillow nor OpenCV is installed.
    """
    if picture.shape[:2] == (height, width):
        return picture
    picture = np.ascontiguousarray(picture)  # Pillow would copy a part of a picture byte by byte
    try:
        from PIL import Image
    except ImportError:
        return _resized_by_opencv(picture, width, height)
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def reduced(height: int, width: int, at_least: "int | None") -> "tuple[int, int]":
    """Return the size after division by `divisor`, rounded up as decoders of JPEG do."""
    by = divisor(height, width, at_least)
    return -(-height // by), -(-width // by)


def divisor(height: int, width: int, at_least: "int | None") -> int:
    """Return the largest of 1, 2, 4 and 8 that leaves `at_least` pixels on both sides; None: 1."""
    if at_least is None:
        return 1
    return next((by for by in (8, 4, 2) if min(height, width) // by >= at_least), 1)


def _resized_by_opencv(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    try:
        import cv2
    except ImportError:
        raise StageError(
            "resizing pictures needs Pillow or OpenCV, but neither is installed"
        ) from None
    shrinks = width * height < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=way)


def with_square_pixels(picture: np.ndarray, aspect: float) -> np.ndarray:
    """Return the picture with square pixels; its pixels were `aspect` times as wide as high.

    One side is stretched and none shrunk, so that no detail is lost. An aspect that is missing (0) or
    beyond 1 : 5 is treated as an error in the file.
    """
    if has_square_pixels(aspect):
        return picture
    height, width = picture.shape[:2]
    if aspect > 1:
        return resized(picture, round(width * aspect), height)
    return resized(picture, width, round(height / aspect))


def has_square_pixels(aspect: float) -> bool:
    """Return whether pixels of this aspect, width over height, are shown as they are stored."""
    return not 0.2 <= aspect <= 5 or abs(aspect - 1) < 0.01
