"""Reads pictures as upright RGB arrays; raises `Unreadable` for files that are damaged, too large or not
pictures.

Pillow is preferred, because it reports truncated files; OpenCV returns a partly grey picture instead.
"""

import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.stage import StageError
from stages.media import deep_colours, heif, scaling
from stages.media.unreadable import Unreadable, refuse_bomb, supported

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112  # EXIF; 5 to 8 exchange width and height
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF
_X_RESOLUTION, _Y_RESOLUTION = 282, 283


class Picture(NamedTuple):
    """pixels: (h, w, 3) uint8, RGB. reduction: how many pixels of the file one of these covers, 1 or more."""

    pixels: np.ndarray
    reduction: float


def read_picture(path: Path) -> np.ndarray:
    """Return the picture as (h, w, 3) uint8, RGB, upright, with square pixels.

    16-bit values, grey or colour, are scaled (`to_8_bits`); transparency is ignored, and only the first
    frame of an animation is read.
    Unreadable: it cannot be decoded completely, or is larger than MAX_PIXELS. StageError: no decoder is
    installed.
    """
    return read_reduced(path, None).pixels


def read_reduced(path: Path, at_least: "int | None") -> Picture:
    """Return the picture like `read_picture`, with at least `at_least` pixels on both sides.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that is enough, which takes a fraction of the
    time and memory; other formats are decoded in full. MAX_PIXELS limits the decoded size. Errors: as
    for `read_picture`.
    """
    try:
        from PIL import Image
    except ImportError:
        return Picture(_read_by_opencv(path), 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            heif.prepare(path)
            with Image.open(path) as image:
                return _decoded(path, image, at_least)
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable(heif.unidentified(path)) from None
    except Image.DecompressionBombError:  # from Image.open, above twice Pillow's own limit
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1000000
        raise Unreadable(f"more than {most} million pixels; {supported()}") from None
    except (
        Exception
    ) as error:  # Pillow passes on its decoders' exceptions: OSError, SyntaxError ...
        raise Unreadable(str(error).partition("\n")[0] or type(error).__name__) from None


def read_many(
    paths: "Iterable[Path]", at_least: "int | None" = None, threads: int = 2
) -> "Iterator[tuple[Path, Picture | Unreadable]]":
    """Yield each path with its picture, or with the reason why it cannot be read, in order.

    The pictures are decoded in `threads` threads, at most that many ahead, so that memory does not grow
    with their number.
    """
    paths = iter(paths)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[tuple[Path, Future[Picture | Unreadable]]] = deque()
        for path in islice(paths, threads):
            ahead.append((path, pool.submit(_picture_or_reason, path, at_least)))
        while ahead:
            path, future = ahead.popleft()
            result = future.result()
            for following in islice(paths, 1):
                ahead.append((following, pool.submit(_picture_or_reason, following, at_least)))
            yield path, result


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Return grey or colour values of more than 8 bits as uint8.

    Integers have a range of 16 bits, or of 12 if none is above 4095 (cameras store 12 bits in 16).
    Floats have a range of 0 to 1, or up to their maximum if that is larger.
    """
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        top = max(1.0, float(values.max(initial=0)))
    else:
        largest = int(values.max(initial=0))
        top = next((limit for limit in (4095, 65535) if largest <= limit), largest)
    if values.dtype == np.uint16:  # a table needs no memory per pixel
        return _scaled(np.arange(1 << 16), top)[values]
    return _scaled(values, top)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture (h, w, 3) in the format of the suffix.

    StageError: neither Pillow nor OpenCV is installed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        from PIL import Image
    except ImportError:
        path.write_bytes(_cv2().imencode(path.suffix, picture[:, :, ::-1])[1].tobytes())
        return
    Image.fromarray(picture).save(path)


def _scaled(values: np.ndarray, top: float) -> np.ndarray:
    return np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)


def _picture_or_reason(path: Path, at_least: "int | None") -> "Picture | Unreadable":
    try:
        return read_reduced(path, at_least)
    except Unreadable as error:
        return error


def _decoded(path: Path, image: "Image.Image", at_least: "int | None") -> Picture:
    from PIL import ImageOps

    width, height = image.size
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    reduction = width / image.width
    if image.info.get(
        "progressive"
    ):  # its decoder keeps the full picture in memory, however small the result
        refuse_bomb(width, height)
    refuse_bomb(*image.size)
    lower = deep_colours.lower_bytes(path, image)
    aspect = _pixel_aspect(image)
    if image.getexif().get(_ORIENTATION, 1) >= 5:
        aspect = 1 / aspect
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        grey = to_8_bits(np.asarray(upright))
        if image.format == "TIFF" and image.getexif().get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            grey = 255 - grey  # Pillow does this only for 8 bits
        pixels = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    elif lower is not None:
        upper = np.asarray(upright.convert("RGB")).astype(np.uint16)
        pixels = to_8_bits(upper << 8 | lower)
    else:
        pixels = np.asarray(upright.convert("RGB"))
    return Picture(scaling.with_square_pixels(pixels, aspect), reduction)


def _pixel_aspect(image: "Image.Image") -> float:
    """Return the width of a pixel relative to its height: y over x resolution, 1 if not stored.

    A JPEG stores it in its JFIF header, a PNG in pHYs, a TIFF in two tags.
    """
    x = y = 0.0
    if image.format == "JPEG":
        x, y = image.info.get("jfif_density", (0, 0))
    elif image.format == "PNG":
        x, y = image.info.get("aspect") or image.info.get("dpi") or (0, 0)
    elif image.format == "TIFF":
        tags = image.getexif()
        x, y = float(tags.get(_X_RESOLUTION, 0)), float(tags.get(_Y_RESOLUTION, 0))
    return y / x if x > 0 and y > 0 else 1.0


def _read_by_opencv(path: Path) -> np.ndarray:
    cv2 = _cv2()
    try:
        heif.prepare(path)
        data = np.frombuffer(path.read_bytes(), np.uint8)
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        picture = cv2.imdecode(data, flags) if len(data) else None
    except OSError as error:
        raise Unreadable(str(error)) from None
    except cv2.error as error:
        raise Unreadable(str(error.err)) from None
    if picture is None:
        raise Unreadable("not a picture")
    refuse_bomb(picture.shape[1], picture.shape[0])
    picture = picture if picture.dtype == np.uint8 else to_8_bits(picture)
    return np.ascontiguousarray(picture[:, :, ::-1])


def _cv2():
    try:
        import cv2
    except ImportError:
        raise StageError("pictures need Pillow or OpenCV, but neither is installed") from None
    return cv2
