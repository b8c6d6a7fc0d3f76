"""A header has the size of a picture, and how it becomes upright."""

import numpy as np
import pytest

from stages.media.header import read_header
from stages.media.pictures import read_picture
from stages.media.unreadable import Unreadable
from tests.stages import odd_pictures as odd
from tests.stages.media.conftest import corner_picture


def stored(path, number):
    """Write a picture of 48 x 64 pixels with an EXIF orientation."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = number
    Image.fromarray(corner_picture()).save(path, exif=exif)
    return path


@pytest.mark.parametrize("number", range(1, 9))
def test_its_orientation_makes_the_stored_picture_upright(tmp_path, number):
    path = stored(tmp_path / "1.png", number)
    header = read_header(path)
    assert header.stored == (48, 64)
    assert header.upright == read_picture(path).shape[:2]
    assert (header.orientation.upright(corner_picture()) == read_picture(path)).all()


@pytest.mark.parametrize("number", [0, 9, 65535])
def test_an_unknown_orientation_is_upright(tmp_path, number):
    header = read_header(stored(tmp_path / "1.png", number))
    assert header.upright == header.stored == (48, 64)


@pytest.mark.parametrize("name", ["zero bytes.jpg", "words.png"])
def test_other_files_are_unreadable(tmp_path, name):
    odd.ODD[name].write(tmp_path / name)
    with pytest.raises(Unreadable):
        read_header(tmp_path / name)


def test_it_needs_only_the_head_of_a_file(tmp_path):
    path = stored(tmp_path / "1.png", 6)
    path.write_bytes(path.read_bytes()[:120] + np.zeros(9, np.uint8).tobytes())
    assert read_header(path).stored == (48, 64)
