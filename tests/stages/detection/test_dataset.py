"""The parts that the stage `dataset` writes."""

import json

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.detection.annotations import _findings
from stages.detection.dataset import DatasetMetrics
from stages.tflite import part
from tests.stages.detection import annotated
from tests.stages.detection.annotated import CORNERS


@pytest.fixture
def root(tmp_path):
    return annotated.write(tmp_path / "data", "voc", annotated.entries(40))


def test_each_picture_is_in_one_part(made, root):
    found = made(root)
    names = [found.names(name) for name in ("train", "val", "test")]
    assert list(map(len, names)) == [26, 6, 8]
    assert len(set().union(*names)) == 40
    assert [found.metrics[f"{name}_pictures"] for name in ("train", "val", "test")] == [26, 6, 8]


def test_the_boxes_and_classes_are_counted(made, root):
    found = made(root)
    assert (found.metrics["boxes"], found.metrics["classes"]) == (40, 2)


def test_each_kind_of_finding_is_a_metric():
    assert set(_findings.KINDS) < set(DatasetMetrics.__annotations__)


def test_pictures_are_stretched_to_the_square(made, root):
    found = made(root)
    pixels = part.read(found.folder / "test").tensors["picture"]
    assert (pixels.shape, pixels.dtype) == ((8, 32, 32, 3), np.uint8)
    name = found.part("test").names[0]
    whole = Image.open(root / name).resize((32, 32), Image.Resampling.BILINEAR)
    assert (pixels[0] == np.asarray(whole)).all()


def test_boxes_are_shares_of_the_picture_that_is_shown(made, root):
    truth = made(root).part("test")
    assert truth.boxes.dtype == np.float32
    assert truth.boxes[0].tolist() == pytest.approx([20 / 60, 10 / 80, 40 / 60, 50 / 80])
    assert truth.sizes[0] == (60, 80)


def test_the_constants_have_the_networks_input_size(made, root):
    found = made(root)
    assert json.loads((found.folder / "train" / "constants.json").read_text()) == {"size": 32}


def test_the_seed_decides_the_split(made, root):
    assert made(root, seed=3).names("test") == made(root, seed=3).names("test")
    assert made(root, seed=3).names("test") != made(root, seed=4).names("test")


def test_the_rarest_class_of_a_picture_decides_where_it_is(made, tmp_path):
    given = annotated.entries(40)
    both = [("cat", *CORNERS), ("owl", 1.0, 1.0, 9.0, 9.0)]
    given[::8] = [entry.with_boxes(*both) for entry in given[::8]]  # five owls
    found = made(annotated.write(tmp_path / "data", "voc", given))
    owls = {name: found.part(name).classes.tolist().count(2) for name in ("train", "val", "test")}
    assert owls == {"train": 3, "val": 1, "test": 1}


def test_near_duplicates_stay_together(made, root):
    for path in sorted((root / "images").glob("*.png")):
        Image.open(path).resize((100, 75)).save(path.with_name(f"copy{path.stem}.jpg"), quality=80)
    annotated.annotate(
        root,
        "voc",
        [annotated.Entry(path.name, size=(75, 100)) for path in root.glob("images/copy*.jpg")],
    )
    found = made(root)
    for name in ("train", "val", "test"):
        stems = [one.removeprefix("copy")[:2] for one in found.names(name)]
        assert all(stems.count(one) == 2 for one in stems)


def test_the_raw_items_are_test_pictures_as_they_are(made, root):
    found = made(root)
    truth = found.part("test")
    items = part.items(found.folder / "test")
    assert len(items) == 8
    for item in items:
        assert item.path.read_bytes() == (root / truth.names[item.first]).read_bytes()


def test_at_most_sixteen_test_pictures_are_raw_items(made, tmp_path):
    found = made(annotated.write(tmp_path / "data", "voc", annotated.entries(100)))
    assert len(part.items(found.folder / "test")) == part.MOST_ITEMS


def test_a_class_that_is_only_tested_is_refused(made, tmp_path):
    given = [annotated.Entry(f"{at}.png") for at in range(4)]
    given[3] = given[3].with_boxes(("owl", *CORNERS))
    root = annotated.write(tmp_path / "data", "csv", given)
    lines = (root / "boxes.csv").read_text().splitlines()
    for name, rows in (("train", lines[1:3]), ("test", lines[3:])):
        annotated.write_text(root / f"{name}.csv", "\n".join([lines[0], *rows]))
    (root / "boxes.csv").unlink()
    with pytest.raises(StageError, match="there are no training pictures of owl"):
        made(root)


def test_a_single_picture_is_too_few(made, tmp_path):
    with pytest.raises(StageError, match="annotate at least three pictures"):
        made(annotated.write(tmp_path / "data", "voc", annotated.entries(1)))


def test_annotations_without_any_box_are_refused(made, tmp_path):
    given = [entry.with_boxes() for entry in annotated.entries(3)]
    with pytest.raises(StageError, match="the annotations contain no box"):
        made(annotated.write(tmp_path / "data", "voc", given))


def test_a_folder_without_annotations_is_told_the_formats(made, tmp_path):
    annotated.picture(tmp_path / "data" / "1.png")
    with pytest.raises(StageError, match=r"data has no annotations: .*VOC.*COCO.*YOLO.*xmin"):
        made(tmp_path / "data")


def test_training_loses_near_duplicates_of_an_existing_test_part(made, tmp_path):
    given = annotated.entries(8)
    root = annotated.write(tmp_path / "data", "voc", given)
    for at, entry in enumerate(given):
        folder = root / ("test" if at < 2 else "train")
        folder.mkdir(exist_ok=True)
        (root / "images" / entry.name).rename(folder / entry.name)
    Image.open(root / "test" / "00.png").save(root / "train" / "07.png", optimize=True)
    Image.open(root / "test" / "01.png").resize((40, 30)).save(root / "train" / "06.png")
    smaller = annotated.Entry("06.png", (("cat", 10.0, 5.0, 20.0, 25.0),), size=(30, 40))
    annotated.annotate(root, "voc", [smaller])
    found = made(root)
    assert found.names("test") == ["00.png", "01.png"]
    assert found.objects("06.png") is None and found.objects("07.png") is None
    assert found.counted() == {"repeated_pictures": 1}
