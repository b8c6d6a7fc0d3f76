"""The pictures of a detector that is not trained: all of them test it, with or without annotations."""

import json

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the extra 'runtime' is not installed")
from PIL import Image

from engine.stage import StageError
from stages.detection import _truth, dataset
from stages.tflite import part

SCALING = {"mean": 128.0, "deviation": 128.0}
DECISION = {
    "size": 32,
    "picture": SCALING,
    "thresholds": {"cat": 0.5, "dog": 0.5},
    "classes": [1, 0],
}
BOX = "<object><name>{}</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"


@pytest.fixture
def split(tmp_path):
    """Write pictures with these classes, None: without an annotation; return the parts and the metrics."""

    def run(*each):
        folder = tmp_path / "pictures"
        folder.mkdir()
        for at, labels in enumerate(each):
            pixels = np.random.default_rng(at).integers(0, 255, (60, 80, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{at}.png")
            if labels is not None:
                objects = "".join(map(BOX.format, labels))
                (folder / f"{at}.xml").write_text(f"<annotation>{objects}</annotation>")
        (tmp_path / "decision.json").write_text(json.dumps(DECISION))
        train, test = tmp_path / "train", tmp_path / "test"
        return test, dataset.dataset(folder, train, test, tmp_path / "decision.json")

    return run


def test_pictures_without_annotations_are_test_pictures_without_boxes(split):
    test, metrics = split(None, None)
    assert (metrics["train_pictures"], metrics["test_pictures"], metrics["boxes"]) == (0, 2, 0)
    assert metrics["unannotated"] == metrics["unsized"] == 0
    truth = _truth.read(test)
    assert (len(truth), len(truth.boxes), truth.labels) == (2, 0, ["cat", "dog"])
    assert len(part.items(test)) == 2


def test_pictures_have_the_size_and_scaling_of_the_detectors_input(split):
    test, _ = split(None)
    assert json.loads((test / "constants.json").read_text()) == {"size": 32, "picture": SCALING}
    values = part.read(test).example(0)["picture"]
    assert values.shape == (1, 32, 32, 3) and values.min() < 0


def test_annotated_objects_of_other_classes_are_dropped_and_counted(split):
    test, metrics = split(["Dog", "bird"], ["bird"])
    assert (metrics["boxes"], metrics["unknown_classes"], metrics["test_pictures"]) == (1, 2, 2)
    assert _truth.read(test).classes.tolist() == [1]


def test_pictures_that_others_annotations_leave_out_are_skipped(split):
    _, metrics = split(["dog"], None)
    assert (metrics["test_pictures"], metrics["unannotated"]) == (1, 1)


def test_a_folder_without_a_picture_is_refused(split):
    with pytest.raises(StageError, match="has no annotations"):
        split()
