"""Changes a picture's size, with OpenCV if it is installed and with Pillow otherwise."""

import numpy as np

from engine.stage import StageError


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a uint8 (h, w, 3) picture as (height, width, 3): averaged if smaller, otherwise bilinear.

    StageError: neither OpenCV nor Pillow is installed.
    """
    old_height, old_width = picture.shape[:2]
    if (old_width, old_height) == (width, height):
        return picture
    shrinks = width * height < old_width * old_height
    try:
        import cv2
    except ImportError:
        return _resized_by_pillow(picture, width, height, shrinks)
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=way)


def _resized_by_pillow(picture: np.ndarray, width: int, height: int, shrinks: bool) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError:
        raise StageError(
            "resizing pictures needs OpenCV or Pillow, but neither is installed"
        ) from None
    way = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize((width, height), way))


def with_square_pixels(picture: np.ndarray, aspect: float) -> np.ndarray:
    """Return the picture with square pixels; its pixels were `aspect` times as wide as high.

    One side is stretched and none shrunk, so that no detail is lost. An aspect that is missing (0) or
    beyond 1 : 5 is treated as an error in the file.
    """
    if not 0.2 <= aspect <= 5 or abs(aspect - 1) < 0.01:
        return picture
    height, width = picture.shape[:2]
    if aspect > 1:
        return resized(picture, round(width * aspect), height)
    return resized(picture, width, round(height / aspect))
