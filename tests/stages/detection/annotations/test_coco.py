"""The stage `coco`: which classes are packed, and which models are refused."""

import json
import os
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.detection._coco_names import COLUMNS, NAMES
from stages.detection.coco import coco

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
SSD = MIRROR / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
CLASSIFIER = MIRROR / "models/mobilenet_v1_0.25_128_quant.tflite"

needs_mirror = pytest.mark.skipif(
    not SSD.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the COCO SSD"
)


def _run(folder, model=SSD, **params):
    coco(model, folder / "models", folder / "decision.json", **params)
    return json.loads((folder / "decision.json").read_text())


def test_coco_has_eighty_classes_among_ninety_numbers():
    assert (len(NAMES), len(COLUMNS)) == (90, 80)
    assert (COLUMNS["person"], COLUMNS["dog"], COLUMNS["toothbrush"]) == (0, 17, 89)


@pytest.mark.parametrize(("wrong", "near"), [("persn", "person"), ("Dogs", "dog")])
def test_a_wrong_class_name_gets_a_suggestion(tmp_path, wrong, near):
    with pytest.raises(StageError, match=f"did you mean '{near}'"):
        _run(tmp_path, classes=[wrong])


@pytest.mark.mirror
@needs_mirror
def test_the_classes_are_sorted_and_have_the_detectors_numbers(tmp_path):
    about = _run(tmp_path, classes=["Person", "dog", "cat"])
    assert list(about["thresholds"]) == ["cat", "dog", "person"]
    assert about["classes"] == [16, 17, 0]
    assert about["picture"] == {"mean": 128.0, "deviation": 128.0}


@pytest.mark.mirror
@needs_mirror
def test_the_detector_is_copied_unchanged(tmp_path):
    _run(tmp_path)
    assert (tmp_path / "models/model/int8.tflite").read_bytes() == SSD.read_bytes()


@pytest.mark.mirror
@needs_mirror
def test_a_classifier_cannot_be_packed_as_a_detector(tmp_path):
    with pytest.raises(StageError, match="TFLite_Detection_PostProcess"):
        _run(tmp_path, CLASSIFIER)
