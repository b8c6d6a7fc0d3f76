"""Pictures of every depth, mode, orientation and pixel aspect; damaged ones; many with little memory."""

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.media import pictures
from stages.media.pictures import read_many, read_picture, read_reduced
from stages.media.unreadable import Unreadable

RAMP = np.tile(np.arange(256, dtype=np.uint16), (8, 1))  # (8, 256), 0 to 255
COLOURS = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("factor", [257, 16], ids=["16 bits", "12 bits in 16"])
def test_grey_of_more_than_8_bits_is_scaled(name: str, factor: int, tmp_path: Path) -> None:
    Image.fromarray(RAMP * factor).save(tmp_path / name)
    read = read_picture(tmp_path / name)
    assert (read.shape, read.dtype) == ((8, 256, 3), np.uint8)
    assert np.abs(read[:, :, 0].astype(int) - RAMP).max() <= 1


def test_opencv_reads_16_bits_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RAMP * 257).save(tmp_path / "a.png")
    by_pillow = read_picture(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), by_pillow)


def test_a_tiff_whose_white_is_zero_is_inverted(tmp_path: Path) -> None:
    Image.fromarray(RAMP * 257).save(tmp_path / "a.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif")[:, :, 0], 255 - RAMP)


def test_floats_are_0_to_1(tmp_path: Path) -> None:
    Image.fromarray((RAMP / 255).astype(np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif")[:, :, 0], RAMP)


def deep(values: np.ndarray, name: str, tmp_path: Path) -> Path:
    """Write (h, w, 3) or (h, w, 4) 16-bit values, RGB."""
    order = [2, 1, 0, 3][: values.shape[2]]
    assert cv2.imwrite(str(tmp_path / name), values[:, :, order], DEEP.get(name, []))
    return tmp_path / name


DEEP = {"plain.tif": [cv2.IMWRITE_TIFF_COMPRESSION, 1]}  # like most cameras


@pytest.mark.parametrize("name", ["a.png", "a.tif", "plain.tif"])
@pytest.mark.parametrize("factor", [257, 16], ids=["16 bits", "12 bits in 16"])
def test_colours_of_more_than_8_bits_are_scaled(name: str, factor: int, tmp_path: Path) -> None:
    values = COLOURS.astype(np.uint16) * factor + factor // 2
    read = read_picture(deep(values, name, tmp_path)).astype(int)
    assert np.abs(read - COLOURS).max() <= 1


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_transparency_of_deep_colours_is_ignored(name: str, tmp_path: Path) -> None:
    opaque = np.full((*COLOURS.shape[:2], 1), 65535, np.uint16)
    values = np.dstack([COLOURS.astype(np.uint16) * 16, opaque])
    assert np.abs(read_picture(deep(values, name, tmp_path)).astype(int) - COLOURS).max() <= 1


def test_opencv_reads_deep_colours_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = deep(COLOURS.astype(np.uint16) * 16, "a.png", tmp_path)
    by_pillow = read_picture(path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    np.testing.assert_array_equal(read_picture(path), by_pillow)


def test_a_turned_picture_of_deep_colours_is_turned(tmp_path: Path) -> None:
    path = deep(COLOURS.astype(np.uint16) * 257, "a.png", tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + data
    chunk = struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    png = path.read_bytes()
    path.write_bytes(png[:33] + chunk + png[33:])  # after the header
    np.testing.assert_array_equal(read_picture(path), TURNS[6](COLOURS))


def test_a_cut_off_picture_of_deep_colours_is_refused(tmp_path: Path) -> None:
    path = deep(COLOURS.astype(np.uint16) * 257, "a.png", tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(Unreadable, match="truncated"):
        read_picture(path)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("CMYK", "a.tif"),
        ("P", "a.png"),
        ("RGBA", "a.png"),
        ("LA", "a.png"),
        ("1", "a.png"),
        ("L", "a.jpg"),
    ],
)
def test_every_mode_becomes_rgb(mode: str, name: str, tmp_path: Path) -> None:
    source = Image.fromarray(COLOURS).convert(mode)
    source.save(tmp_path / name, quality=100)
    expected = np.asarray(source.convert("RGB"), int)
    assert np.abs(read_picture(tmp_path / name) - expected).max() <= 3


TURNS = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_exif_orientations_are_applied(orientation: int, name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(tmp_path / name, exif=exif, lossless=True)
    np.testing.assert_array_equal(read_picture(tmp_path / name), TURNS[orientation](COLOURS))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_pixels_that_are_not_square_become_so(name: str, tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / name, dpi=(72, 144))  # twice as wide as high
    assert read_picture(tmp_path / name).shape == (40, 120, 3)


def test_a_turned_picture_is_stretched_along_the_side_that_was_narrow(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(tmp_path / "a.jpg", dpi=(72, 144), exif=exif)
    assert read_picture(tmp_path / "a.jpg").shape == (120, 40, 3)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with files that are not pictures, truncated, empty, or too large."""
    Image.fromarray(COLOURS).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut.jpg", "truncated"),
        ("text.png", "not a picture"),
        ("empty.png", "not a picture"),
        ("bomb.png", "9000 x 9000 pixels"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    name: str, reason: str, broken: Path
) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_picture(broken / name)


def test_opencv_refuses_what_is_no_picture(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name in ("text.png", "empty.png"):
        with pytest.raises(Unreadable, match="not a picture"):
            read_picture(broken / name)


def test_without_a_decoder_both_are_named(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "cv2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StageError, match="need Pillow or OpenCV, but neither is installed"):
        read_picture(broken / "whole.jpg")


def test_a_large_jpeg_is_decoded_near_the_size_that_is_needed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    large = cv2.resize(COLOURS, (4000, 3000), interpolation=cv2.INTER_NEAREST)
    Image.fromarray(large).save(tmp_path / "a.jpg", exif=exif)
    picture = read_reduced(tmp_path / "a.jpg", at_least=720)
    assert (picture.pixels.shape, picture.reduction) == ((1000, 750, 3), 4.0)
    assert read_reduced(tmp_path / "a.jpg", None).pixels.shape == (4000, 3000, 3)


def test_a_jpeg_of_too_many_pixels_is_read_at_a_fraction_of_its_size(tmp_path: Path) -> None:
    Image.new("L", (10000, 9000)).save(tmp_path / "a.jpg")
    assert read_reduced(tmp_path / "a.jpg", at_least=160).pixels.shape == (1125, 1250, 3)
    with pytest.raises(Unreadable, match="10000 x 9000 pixels"):
        read_picture(tmp_path / "a.jpg")


def test_a_progressive_jpeg_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("L", (10000, 9000)).save(tmp_path / "a.jpg", progressive=True)
    with pytest.raises(Unreadable, match="10000 x 9000 pixels"):
        read_reduced(tmp_path / "a.jpg", at_least=160)


def test_many_pictures_come_in_order_with_the_reasons_of_bad_ones(broken: Path) -> None:
    names = ["whole.jpg", "text.png", "whole.jpg", "cut.jpg", "whole.jpg"]
    found = list(read_many(broken / name for name in names))
    assert [path.name for path, _ in found] == names
    kinds = [isinstance(picture, Unreadable) for _, picture in found]
    assert kinds == [False, True, False, True, False]


def test_pictures_are_decoded_once_and_only_a_few_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    monkeypatch.setattr(pictures, "read_reduced", lambda path, at_least: decoded.append(path))

    def paths() -> Iterator[Path]:
        yield from (tmp_path / f"{number}.jpg" for number in range(1000))

    for used, _ in enumerate(read_many(paths(), threads=3), start=1):
        assert len(decoded) <= used + 3
    assert len(decoded) == len(set(decoded)) == 1000


def test_a_picture_is_written_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures.write_picture(tmp_path / "folder/a.png", COLOURS)
    with monkeypatch.context() as without_pillow:
        without_pillow.setitem(sys.modules, "PIL", None)
        pictures.write_picture(tmp_path / "folder/b.png", COLOURS)
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(read_picture(tmp_path / "folder" / name), COLOURS)
