"""The face detector: quantised if it is published as a float model, otherwise copied."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.faces import detector as stage
from stages.faces.detector import detector
from stages.tasks.blazeface import BOXES, SCORES
from stages.tflite.model import open_model
from stages.tflite.schema import read_model
from tests.stages.faces import blazeface_like
from tests.stages.tasks import packages

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))


@pytest.fixture
def said(monkeypatch):
    notes: list[str] = []
    monkeypatch.setattr(stage, "note", notes.append)
    monkeypatch.setattr("stages.training.network.fix", lambda *_: None)  # TensorFlow is in use
    return notes


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(stage, "CALIBRATION", 4)
    monkeypatch.setattr(stage, "CHECKED", 2)


def test_without_a_detector_there_is_no_model(tmp_path):
    metrics = detector(None, tmp_path / "models")
    assert (metrics["models"], metrics["missed_share"], metrics["landmark_error"]) == (0, 0, 0)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_float_model_gets_an_int8_form_without_floats(said, few, tmp_path):
    published = blazeface_like.write(tmp_path / "blazeface.tflite")
    metrics = detector(published, tmp_path / "models")
    folder = tmp_path / "models/detector"
    assert (folder / "float.tflite").read_bytes() == published.read_bytes()
    tensors = read_model(folder / "int8.tflite").subgraphs[0].tensors
    assert {one.type for one in tensors} <= {"UINT8", "INT8", "INT32"}
    model = open_model(folder / "int8.tflite")
    assert {name: one.shape for name, one in model.outputs.items()} == {
        BOXES: (1, 896, 16),
        SCORES: (1, 896, 1),
    }
    assert metrics["models"] == 1 and said[0].startswith("the int8 detector finds")


def test_a_network_that_finds_no_drawn_face_is_not_trusted(said, few, tmp_path, monkeypatch):
    monkeypatch.setattr("stages.tasks.blazeface.LEAST_SCORE", 1.1)
    metrics = detector(blazeface_like.write(tmp_path / "blazeface.tflite"), tmp_path / "models")
    assert metrics["missed_share"] == 1 and "landmark_error" not in metrics
    assert said == ["the int8 detector finds 0 of 0 drawn faces"]


def test_the_same_seed_gives_the_same_bytes(said, few, tmp_path):
    published = blazeface_like.write(tmp_path / "blazeface.tflite")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        detector(published, tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name / "detector/int8.tflite").read_bytes() for name in "abc")
    assert a == b and a != c


def test_a_quantised_model_and_its_twin_are_copied_unchanged(said, few, tmp_path):
    detector(blazeface_like.write(tmp_path / "blazeface.tflite"), tmp_path / "made")
    ready = tmp_path / "made/detector/int8.tflite"
    metrics = detector(ready, tmp_path / "single")
    assert (metrics["models"], metrics["missed_share"], metrics["landmark_error"]) == (1, 0, 0)
    assert (tmp_path / "single/detector/int8.tflite").read_bytes() == ready.read_bytes()
    (tmp_path / "folder").mkdir()
    for form in ("int8", "edgetpu"):
        (tmp_path / "folder" / f"{form}.tflite").write_bytes(ready.read_bytes() + form.encode())
    detector(tmp_path / "folder", tmp_path / "twins")
    found = sorted(path.name for path in (tmp_path / "twins/detector").iterdir())
    assert found == ["edgetpu.tflite", "int8.tflite"]


def test_a_model_of_another_kind_is_refused(tmp_path):
    (tmp_path / "other.tflite").write_bytes(packages.always((1, 8, 8, 3), [0.0, 1.0]))
    with pytest.raises(StageError, match="needs BlazeFace"):
        detector(tmp_path / "other.tflite", tmp_path / "models")


@pytest.mark.mirror
@pytest.mark.skipif(not MIRROR.is_dir(), reason="there is no folder with real models and pictures")
def test_the_int8_blazeface_finds_the_faces_and_landmarks_of_the_float_one(said, tmp_path):
    from stages.faces._agreement import compare
    from stages.media.pictures import read_picture
    from stages.tasks.faces import detected

    published = MIRROR / "models/blazeface_short_range_128_float.tflite"
    metrics = detector(published, tmp_path / "models")
    assert metrics["missed_share"] <= 0.05 and metrics["landmark_error"] <= 0.08
    int8 = open_model(tmp_path / "models/detector/int8.tflite")
    forms = open_model(published), int8
    people = [read_picture(MIRROR / f"faces/orl/s{at}/{at % 10 + 1}.pgm") for at in range(1, 41)]
    found = compare(tuple(detected(one, form) for form in forms) for one in people)
    assert (found.faces, found.missed, found.added) == (40, 0, 0)
    assert found.landmark_error <= 0.04  # plain conversion: above 0.1
    boxes = int8.predict({"picture": np.full((1, 128, 128, 3), -1, np.float32)})
    assert boxes[SCORES].max() < 0  # nobody in the dark
