"""What becomes of every picture in tests/stages/odd_pictures.py if it is annotated."""

import importlib.util
import json

import numpy as np
import pytest

from stages.detection import _truth
from stages.detection.dataset import dataset
from stages.tflite import part
from stages.training import findings
from tests.stages import odd_pictures as odd

HEIC = () if importlib.util.find_spec("pillow_heif") else ("phone.HEIC",)
ONE = "one pixel.png"
BOX = [16, 8, 32, 16]  # x, y, width and height on the upright picture


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Return notes, and pixels and boxes by name."""
    root, work = tmp_path_factory.mktemp("odd") / "data", tmp_path_factory.mktemp("work")
    odd.lay(root, *HEIC)
    names = [name for name in (*odd.READ, *odd.REFUSED) if name not in HEIC]
    images = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    annotations = [
        {"id": at, "image_id": at, "category_id": 1, "bbox": [0, 0, 1, 1] if name == ONE else BOX}
        for at, name in enumerate(names)
    ]
    tables = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
    (root / "a.json").write_text(json.dumps(tables))
    notes: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setattr(findings, "note", notes.append)
        patch.setattr(findings, "NAMED", 1000)
        dataset(root, work / "train", work / "test", size=odd.SIDE)
    found = {}
    folders = (work / "train", work / "train" / "validation", work / "test")
    for folder in (one for one in folders if one.exists()):
        truth, pixels = _truth.read(folder), part.read(folder).tensors["picture"]
        for row, name in enumerate(truth.names):
            found[name] = pixels[row], truth.of(row).boxes
    return notes, found


def same(notes, name):
    """Return the name of the first picture with the same pixels."""
    (note,) = (one for one in notes if "stored under two names" in one)
    names = dict(one.split(" (the same as ") for one in note.partition(": ")[2].split("), "))
    return names.get(name, name).rstrip(")")


@pytest.mark.parametrize("name", odd.READ)
def test_a_picture_is_read_as_a_viewer_shows_it(read, name):
    if name in HEIC:
        pytest.skip("the extra 'heic' is not installed")
    notes, found = read
    pixels, boxes = found[same(notes, name)]
    assert np.abs(pixels.astype(int) - odd.ODD[name].shown).mean() < 8
    expected = [0, 0, 1, 1] if name == ONE else [0.125, 0.25, 0.375, 0.75]
    assert boxes.tolist() == [expected]


@pytest.mark.parametrize("name", odd.REFUSED)
def test_what_cannot_be_read_is_named_with_its_reason(read, name):
    (note,) = (one for one in read[0] if "unreadable" in one)
    assert odd.ODD[name].reason in note.partition(f"{name} (")[2].partition(")")[0]


@pytest.mark.parametrize("name", odd.NAMED)
def test_other_files_are_named(read, name):
    assert f"ignored 1 file not used by this data set: {name}" in read[0]


@pytest.mark.parametrize("name", odd.HIDDEN)
def test_hidden_files_are_not_mentioned(read, name):
    assert name not in "\n".join(read[0])
