"""Pictures as people have them: how to make each, and what becomes of it."""

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

SIDE = 64
# four colours, so that every turn and mirror image is another picture
COLOURS = (((220, 40, 40), (40, 200, 40)), ((40, 40, 210), (230, 220, 60)))
SHOWN = np.kron(np.array(COLOURS, np.uint8), np.ones((SIDE // 2, SIDE // 2, 1), np.uint8))
GREY = np.repeat(np.asarray(Image.fromarray(SHOWN).convert("L"))[:, :, None], 3, axis=2)
NOISE = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
OTHER = Image.fromarray(255 - SHOWN)  # of an animation, the frames after the first
DEEP = SHOWN.astype(np.uint16) * 257
RED = np.full_like(SHOWN, COLOURS[0][0])


@dataclass(frozen=True)
class Odd:
    """write: makes the file. shown: its pixels, if it is read; reason: why it cannot be read, if it is
    tried. Without either it is not opened.
    """

    write: Callable[[Path], object]
    shown: "np.ndarray | None" = None
    reason: str = ""


def picture(mode: str = "RGB", form: str = "", **options: object) -> Callable[[Path], None]:
    """Return what writes the picture in a mode of Pillow's, in a form that the suffix may not name."""
    image = Image.fromarray(SHOWN).convert(mode, palette=Image.Palette.ADAPTIVE)
    return lambda path: image.save(path, form or None, **options)


def turned(orientation: int) -> Callable[[Path], None]:
    """Return what writes a JPEG that is upright after this orientation."""
    as_stored = {
        1: SHOWN,
        2: SHOWN[:, ::-1],
        3: SHOWN[::-1, ::-1],
        4: SHOWN[::-1],
        5: SHOWN.transpose(1, 0, 2),
        6: np.rot90(SHOWN, 1),
        7: SHOWN[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(SHOWN, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(as_stored[orientation]))
    return lambda path: image.save(path, exif=exif, quality=95)


def animated(**options: object) -> Callable[[Path], None]:
    """Return what writes an animation whose first frame is the picture."""
    return picture(save_all=True, append_images=[OTHER, OTHER], duration=100, **options)


def array(values: np.ndarray) -> Callable[[Path], None]:
    """Return what writes values as they are: of 16 bits, or floats."""
    order = [2, 1, 0, 3][: values.shape[2]] if values.ndim == 3 else ...
    shown = values[:, :, order] if values.ndim == 3 else values
    return lambda path: path.write_bytes(cv2.imencode(path.suffix, shown)[1].tobytes())


def grey_and_alpha(path: Path) -> None:
    """Write a PNG of grey and alpha with 16 bits each, which neither Pillow nor OpenCV writes."""
    deep = GREY[:, :, 0].astype(">u2") * 257
    pixels = np.dstack([deep, np.full_like(deep, 65535)])
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 4, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks)))


def _chunk(named: tuple[bytes, bytes]) -> bytes:
    name, data = named
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def cut(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return what writes the first half of a file."""

    def written(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return written


def heic(path: Path) -> None:
    """Write a HEIC."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra 'heic' is not installed")
    pillow_heif.from_pillow(Image.fromarray(SHOWN)).save(path, quality=95)


def text(path: Path) -> None:
    """Write a file that is not a picture."""
    path.write_text("no picture")


def link(path: Path) -> None:
    """Write a link to a picture in another folder."""
    target = path.parents[2] / "elsewhere.png"
    picture()(target)
    path.symlink_to(target)


def empty(width: int, height: int) -> Callable[[Path], None]:
    """Return a function that writes a black picture with this many pixels."""
    return lambda path: Image.new("1", (width, height)).save(path)


def one(path: Path) -> None:
    """Write a picture of one pixel."""
    Image.new("RGB", (1, 1), COLOURS[0][0]).save(path)


def in_grey(values: np.ndarray) -> np.ndarray:
    """Return what is shown of (h, w) values up to 255."""
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)


ODD: dict[str, Odd] = {
    **{f"turned{number}.jpg": Odd(turned(number), SHOWN) for number in range(1, 9)},
    "cmyk.jpg": Odd(picture("CMYK", quality=95), SHOWN),
    "cmyk.tif": Odd(picture("CMYK"), SHOWN),
    "grey.jpg": Odd(picture("L"), GREY),
    "palette.png": Odd(picture("P"), SHOWN),
    "alpha.png": Odd(picture("RGBA"), SHOWN),
    "grey and alpha.png": Odd(picture("LA"), GREY),
    "16 bits, grey.png": Odd(array(DEEP[:, :, 1]), in_grey(SHOWN[:, :, 1])),
    "16 bits.png": Odd(array(DEEP), SHOWN),
    "16 bits.tif": Odd(array(DEEP), SHOWN),
    "16 bits, grey and alpha.png": Odd(grey_and_alpha, GREY),
    "floats.tiff": Odd(array((SHOWN[:, :, 1] / 255).astype(np.float32)), in_grey(SHOWN[:, :, 1])),
    "animated.gif": Odd(animated(), SHOWN),
    "animated.webp": Odd(animated(quality=95), SHOWN),
    "animated.png": Odd(animated(), SHOWN),
    "phone.HEIC": Odd(heic, SHOWN),
    "browser.avif": Odd(picture(quality=95), SHOWN),
    "browser.jfif": Odd(picture(form="JPEG", quality=95), SHOWN),
    "camera.JPG": Odd(picture(quality=95), SHOWN),
    "signs.ppm": Odd(picture(), SHOWN),
    "jpeg 2000.jp2": Odd(picture(), SHOWN),
    "a png.jpg": Odd(picture(form="PNG"), SHOWN),
    "a jpeg.png": Odd(picture(form="JPEG", quality=95), SHOWN),
    "no suffix": Odd(picture(form="PNG"), SHOWN),
    "deep/deeper/nested.png": Odd(picture(), SHOWN),
    "link.png": Odd(link, SHOWN),
    os.fsdecode(b"caf\xe9.png"): Odd(picture(), SHOWN),
    "two\nlines.png": Odd(picture(), SHOWN),
    f"{'long' * 60}.png": Odd(picture(), SHOWN),
    "one pixel.png": Odd(one, RED),
    "cut.jpg": Odd(cut(array(NOISE)), reason="truncated"),
    "cut.png": Odd(cut(array(NOISE)), reason="truncated"),
    "cut.gif": Odd(cut(picture()), reason="truncated"),
    "zero bytes.jpg": Odd(Path.touch, reason="not a picture"),
    "words.png": Odd(text, reason="not a picture"),
    "large.png": Odd(empty(9000, 9000), reason="9000 x 9000 pixels; at most 64 million"),
    "bomb.png": Odd(empty(20000, 20000), reason="more than 178 million pixels; at most 64 million"),
    "notes.txt": Odd(text),
    ".DS_Store": Odd(text),
    ".hidden.png": Odd(text),
    "Thumbs.db": Odd(text),
    "desktop.ini": Odd(text),
    "__MACOSX/._cut.png": Odd(text),
}
READ = [name for name, odd in ODD.items() if odd.shown is not None]
REFUSED = [name for name, odd in ODD.items() if odd.reason]
NAMED = ("notes.txt",)  # not opened, because of their suffix
HIDDEN = (".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini", "__MACOSX/._cut.png")


def lay(folder: Path, *left_out: str) -> Path:
    """Make all of them in a folder."""
    for name, odd in ODD.items():
        if name not in left_out:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            odd.write(folder / name)
    return folder
