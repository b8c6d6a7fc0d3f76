"""The dataset stage on pictures as people have them."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from engine import stage
from engine.stage import StageError
from stages.tflite import part
from stages.vision.dataset import dataset
from stages.vision.picture_sample import picture_sample


@pytest.fixture
def pictures(tmp_path):
    picture_sample(tmp_path / "pictures", each=10, side=64)
    return tmp_path / "pictures"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Run the stage; return its metrics and what it noted."""
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(stage, "note", said.append)
    monkeypatch.setattr("stages.vision.dataset.note", said.append)

    def run(folder, **params):
        return dataset(folder, tmp_path / "train", tmp_path / "test", size=32, **params), said

    return run


def test_the_parts_hold_each_picture_once_with_its_class(made, pictures, tmp_path):
    metrics, said = made(pictures)
    assert (metrics["train_pictures"], metrics["val_pictures"], metrics["test_pictures"]) == (
        24,
        8,
        8,
    )
    assert said == []
    names = []
    for folder in (tmp_path / "train", tmp_path / "train" / "validation", tmp_path / "test"):
        pixels = part.read(folder).tensors["picture"]
        truth = json.loads((folder / "truth.json").read_text())
        classes = np.load(folder / "truth_class.npy")
        assert pixels.shape == (len(classes), 32, 32, 3) and pixels.dtype == np.uint8
        assert [truth["labels"][at] for at in classes] == [n.split("/")[0] for n in truth["names"]]
        names += truth["names"]
    assert len(set(names)) == 40


def test_the_raw_items_are_the_test_pictures_as_they_are(made, pictures, tmp_path):
    made(pictures)
    truth = json.loads((tmp_path / "test" / "truth.json").read_text())
    for item in part.items(tmp_path / "test"):
        assert item.path.read_bytes() == (pictures / truth["names"][item.first]).read_bytes()


def test_whatever_cannot_be_read_is_counted_and_named(made, pictures):
    (pictures / "go" / "empty.jpg").touch()
    (pictures / "go" / "words.png").write_text("no picture")
    (pictures / "go" / "notes.txt").touch()
    whole = (pictures / "stop" / "000.png").read_bytes()
    (pictures / "stop" / "cut.png").write_bytes(whole[: len(whole) // 2])
    metrics, said = made(pictures)
    assert metrics["unreadable"] == 4
    assert said[0] == "skipped 1 non-picture file: go/notes.txt"
    assert said[1].startswith("skipped 3 unreadable files: go/empty.jpg (")


def test_the_same_picture_in_two_classes_is_in_neither(made, pictures):
    shutil.copy(pictures / "go" / "000.png", pictures / "stop" / "copy.png")
    metrics, said = made(pictures)
    assert metrics["ambiguous"] == 2
    assert said == ["left out 2 files that are in two classes: go/000.png, stop/copy.png"]


def test_empty_classes_and_classes_alike_are_noted(made, pictures):
    (pictures / "empty").mkdir()
    (pictures / "go").rename(pictures / "STOP")
    _, said = made(pictures)
    assert said == [
        "ignored 1 folder without pictures: empty",
        "classes differ only in upper and lower case: STOP, stop; if they are the same "
        "class, use one name for their folders or rows",
    ]


def test_copies_of_a_picture_never_straddle_the_parts(made, pictures, tmp_path):
    for path in sorted(pictures.rglob("*.png")):
        Image.open(path).resize((56, 56)).save(path.with_suffix(".jpg"), quality=70)
    made(pictures)
    folders = (tmp_path / "train", tmp_path / "train" / "validation", tmp_path / "test")
    stems = [
        {name.rpartition(".")[0] for name in json.loads((f / "truth.json").read_text())["names"]}
        for f in folders
    ]
    assert sum(map(len, stems)) == len(set.union(*stems)) == 40


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "RGBA", "I;16", "gif", "rotated"])
def test_pictures_are_read_as_a_viewer_shows_them(made, pictures, tmp_path, mode):
    image = Image.open(pictures / "go" / "000.png")
    if mode == "gif":
        image.save(pictures / "go" / "000.gif")
    elif mode == "rotated":
        exif = Image.Exif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(pictures / "go" / "000.jpg", exif=exif, quality=95)
    elif mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(pictures / "go" / "000.tif")
    else:
        file = io.BytesIO()
        image.convert(mode).save(file, "TIFF" if mode == "CMYK" else "PNG")
        (pictures / "go" / f"000{'.tif' if mode == 'CMYK' else '.bmp'}").write_bytes(
            file.getvalue()
        )
    metrics, said = made(pictures)
    assert (metrics["unreadable"], metrics["ambiguous"], said) == (0, 0, [])
    assert sum(metrics[f"{name}_pictures"] for name in ("train", "val", "test")) == 41


def test_pictures_none_of_which_can_be_read_are_refused(made, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "bad" / label).mkdir(parents=True)
        (tmp_path / "bad" / label / "1.jpg").touch()
    with pytest.raises(StageError, match=r"no picture can be read: cat/1\.jpg"):
        made(tmp_path / "bad")
