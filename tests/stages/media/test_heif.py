"""HEIC: read if pillow-heif is installed, otherwise named with the package."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.media import heif
from stages.media.pictures import read_picture
from stages.media.unreadable import Unreadable
from tests.stages import odd_pictures as odd

HEAD = b"\0\0\0\x18ftyp%b\0\0\0\0mif1%b"


@pytest.mark.parametrize("without", ["", "PIL"])
def test_without_its_package_a_heic_is_named_with_it(
    without: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(HEAD % (b"mif1", b"heic"))  # whatever its suffix
    for name in filter(None, ("pillow_heif", without)):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Unreadable, match="HEIC needs the package pillow-heif: pip install"):
        read_picture(tmp_path / "a.jpg")


def test_a_heic_is_read_upright(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra 'heic' is not installed")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(odd.SHOWN, 1)))
    stored.save(tmp_path / "a.heic", exif=exif.tobytes(), quality=95)
    assert b"irot" in (tmp_path / "a.heic").read_bytes()
    read = read_picture(tmp_path / "a.heic").astype(int)
    assert np.abs(read - odd.SHOWN).mean() < 8


def test_an_avif_that_pillow_does_not_know_is_named_with_its_version(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(HEAD % (b"avif", b"miaf"))
    assert heif.unidentified(tmp_path / "a.avif") == "AVIF needs Pillow 11.3 or later"


@pytest.mark.parametrize("data", [b"", b"ftyp", b"no picture at all, but words"])
def test_what_has_no_file_type_is_not_a_picture(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    assert heif.unidentified(tmp_path / "a") == "not a picture"
