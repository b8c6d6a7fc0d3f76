"""Pictures for calibration among the raw items of a part."""

import numpy as np
import pytest

from stages.imx500 import _raw_pictures
from stages.media.pictures import write_picture
from stages.tflite import part

SIZE = 12, 16  # height and width of the network's input


@pytest.fixture
def notes(monkeypatch):
    """The notes of the stage."""
    found = []
    monkeypatch.setattr(_raw_pictures, "note", found.append)
    return found


@pytest.fixture
def test_part(tmp_path):
    """A part of keypoints without raw items yet."""
    folder = tmp_path / "test"
    part.write(folder, {"features": np.zeros((3, 4, 1, 2), np.float32)})
    return folder


def _with_items(folder, **items):
    """Add raw items: bytes are a file, a number is a picture of this grey, a list is a folder of these."""
    raw = part.raw_folder(folder)
    for name, content in items.items():
        path = raw / name.replace("_", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, list):
            for at, grey in enumerate(content):
                _write(path / f"frame{at}.png", grey)
        else:
            _write(path, content)
    part.write_items(folder, {name.replace("_", "."): (0, 0) for name in items})


def _write(path, grey):
    write_picture(path, np.full((30, 20, 3), grey, np.uint8))


def test_a_picture_is_stretched_to_the_input(test_part, notes):
    _with_items(test_part, a_png=10, b_png=20)
    pictures, whence = _raw_pictures.find(test_part, *SIZE, 200)
    assert pictures.shape == (2, *SIZE, 3) and pictures.dtype == np.uint8
    assert pictures[:, 0, 0, 0].tolist() == [10, 20]
    assert whence == "2 raw pictures of 2 items of the test part"


def test_clips_have_equal_shares_spread_over_time(test_part, notes):
    _with_items(test_part, long=list(range(100, 120)), short=[1, 2, 3])
    pictures, whence = _raw_pictures.find(test_part, *SIZE, 8)
    assert pictures[:, 0, 0, 0].tolist() == [100, 106, 112, 119, 1, 2, 3]
    assert whence == "7 raw pictures of 2 items of the test part"


def test_never_more_pictures_than_wanted(test_part, notes):
    _with_items(test_part, a_png=1, b_png=2, c_png=3)
    pictures, _ = _raw_pictures.find(test_part, *SIZE, 2)
    assert len(pictures) == 2


def test_keypoint_tables_are_no_pictures(test_part, notes):
    _with_items(test_part, a_csv=b"frame,nose_x\n", b_csv=b"frame,nose_x\n")
    assert _raw_pictures.find(test_part, *SIZE, 2) == (
        "the raw items of the test part are no pictures to calibrate it with (.csv)"
    )


def test_a_part_without_raw_items_has_none(test_part, notes):
    assert "it has none" in _raw_pictures.find(test_part, *SIZE, 2)


def test_an_unreadable_picture_is_left_out_with_a_note(test_part, notes):
    _with_items(test_part, a_png=b"\x89PNG\r\n\x1a\n, truncated", b_png=7)
    pictures, whence = _raw_pictures.find(test_part, *SIZE, 2)
    assert len(pictures) == 1 and whence.startswith("1 raw pictures of 2 items")
    assert len(notes) == 1 and "a.png" in notes[0]


def test_only_unreadable_pictures_are_no_pictures(test_part, notes):
    _with_items(test_part, a_png=b"no picture")
    assert _raw_pictures.find(test_part, *SIZE, 2) == (
        "none of the 1 raw pictures of the test part can be read"
    )
