"""Pictures that a phone has stored on their side, annotated on either form."""

import numpy as np
import pytest
from PIL import Image

from tests.stages.detection import annotated
from tests.stages.detection.annotated import Entry

FORMATS = [form for form in annotated.FORMATS if form != "yolo"]  # shares tell nothing of a size


@pytest.fixture
def photo():
    """A picture of 80 x 60 pixels with a bright object, stored on its side."""

    def write(path, seed):
        shown = np.random.default_rng(seed).integers(0, 120, (8, 6, 3), np.uint8)
        shown = np.kron(shown, np.ones((10, 10, 1), np.uint8))
        shown[20:40, 10:30] = 255
        exif = Image.Exif()
        exif[0x0112] = 6
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(np.rot90(shown))).save(path, exif=exif)

    return write


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("is_stored", [False, True])
def test_the_box_is_round_the_object(made, tmp_path, photo, form, is_stored):
    root = tmp_path / "data"
    on_shown, on_stored = (20.0, 10.0, 40.0, 30.0), (30.0, 20.0, 50.0, 40.0)
    box, size = (on_stored, (60, 80)) if is_stored else (on_shown, (80, 60))
    given = [Entry(f"{at}.png", (("lamp", *box),), size) for at in range(6)]
    for at, entry in enumerate(given):
        photo(root / "images" / entry.name, at)
    found = made(annotated.write(root, form, given))
    assert found.counted() == ({"rotated": 6} if is_stored else {})
    truth = found.part("train")
    assert truth.sizes[0] == (80, 60)
    pixels = np.load(found.folder / "train" / "picture.npy")[0]
    top, left, bottom, right = (truth.of(0).boxes[0] * 32).round().astype(int)
    assert pixels[top + 1 : bottom - 1, left + 1 : right - 1].min() > 240
    assert (np.delete(pixels, np.s_[top - 1 : bottom + 1], axis=0) < 160).all()
