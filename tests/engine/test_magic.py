"""Files are recognised by how they begin."""

import pytest

from engine import magic

KINDS = {"a .tflite file": "????TFL3", "an .h5 file": "\x89HDF", "a SavedModel folder": ""}


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (b"\x1c\0\0\0TFL3 and more", True),
        (b"\x89HDF\r\n", True),
        (b"", False),
        (b"TFL3", False),
        (b"import keras\n", False),
    ],
)
def test_a_file_is_of_a_kind_if_it_begins_so(tmp_path, content, is_one):
    path = tmp_path / "model"
    path.write_bytes(content)
    assert magic.is_of(path, KINDS) == is_one


def test_a_folder_may_be_of_any_kind(tmp_path):
    assert magic.is_of(tmp_path, KINDS)
