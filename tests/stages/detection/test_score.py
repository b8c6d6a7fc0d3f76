"""The score of a detector, on outputs whose figures were worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the extra 'train' is not installed")

from engine.stage import StageError
from stages.detection import _truth
from stages.detection.score import score
from stages.tasks.boxes import encode
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor
from tests.stages.detection.truths import SIDE, truth

DIFFERENCE = {
    "outputs_differ": 0,
    "max_step_difference": 0,
    "reference_bit_equal": 1,
    "machine": "x86_64",
    "runtime": "LiteRT 9",
}
ABOUT = {
    "runtime": "LiteRT 9",
    "accelerator": "cpu",
    "measured_on": "device",
    "difference": DIFFERENCE,
}
ANCHORS = np.float32([[0.3, 0.3, 0.4, 0.4], [0.75, 0.75, 0.3, 0.3], [0.2, 0.8, 0.2, 0.2]])
SCALES = [10.0, 10.0, 5.0, 5.0]
CAT, DOG = (0, 10, 10, 50, 50), (1, 60, 60, 90, 90)
DECISION = {
    "box_scales": SCALES,
    "thresholds": {"cat": 0.5, "dog": 0.4},
    "iou_threshold": 0.5,
    "most": 10,
    "postprocess": "task",
}


def tensors(pictures):
    """Return boxes and scores of a network whose anchors are CAT's, DOG's and a third box.

    pictures: for each one, the scores of the classes at each anchor
    """
    boxes = np.zeros((len(pictures), 3, 4), np.float32)
    boxes[:, 0] = encode(np.float32([[0.1, 0.1, 0.5, 0.5]]), ANCHORS[:1], SCALES)[0]
    return {"boxes": boxes, "scores": np.array(pictures, np.float32)}


GOOD = [[0.9, 0], [0, 0.8], [0, 0]]
BLIND = [[0, 0], [0, 0], [0, 0]]


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Judge outputs of the target beside those of the build machine; return metrics, report and figures."""
    figures: dict[str, object] = {}
    monkeypatch.setattr(
        "engine.stage.figures.figure", lambda kind, name, **how: figures.update({name: how})
    )

    def run(there, boxes, floating=None, ready=False, decision=DECISION):
        test = tmp_path / "test"
        count = len(boxes)
        part.write(test, {"picture": np.full((count, 8, 8, 3), 128, np.uint8)})
        part.raw_folder(test)
        part.write_items(test, {"00.png": (0, 0)})
        _truth.write(test, truth(boxes), [""] * count)
        (test / "constants.json").write_text('{"size": 8}')
        (tmp_path / "decision.json").write_text(json.dumps(decision))
        (tmp_path / "anchors").mkdir()
        np.save(tmp_path / "anchors/anchors.npy", ANCHORS)
        for folder, scores, form in (
            ("outputs", there, "int8"),
            ("reference/default", there, "int8"),
            ("reference/float", floating or there, "int8" if ready else "float"),
        ):
            values = tensors(scores)
            model = SimpleNamespace(
                outputs={
                    name: Tensor(name, (1, *one.shape[1:]), "float32")
                    for name, one in values.items()
                }
            )
            outputs.write(tmp_path / folder, values, model, {**ABOUT, "model_sha256": form})
        metrics = score(*arguments(tmp_path))
        return metrics, json.loads((tmp_path / "report.json").read_text()), figures

    return run


def arguments(folder):
    names = ("test", "outputs", "reference", "decision.json", "report.json", "anchors")
    return [folder / name for name in names]


def test_figures_are_those_of_int8_beside_float_and_baseline(judged):
    better = [GOOD, GOOD]
    metrics, _, _ = judged([GOOD, BLIND], [[CAT, DOG], [CAT, DOG]], floating=better)
    assert metrics["map50"] == metrics["map"] == pytest.approx(51 / 101)  # recalls of 0 to 0.5
    assert metrics["float_map50"] == 1
    assert metrics["map50_drop"] == metrics["map50_drop_beyond_one"] == pytest.approx(50 / 101)
    assert metrics["baseline_map50"] == 0.5  # all cats are in the same place
    assert metrics["baseline_margin"] == pytest.approx(51 / 101 - 0.5)
    assert metrics["map50_low"] == 0 and metrics["map50_high"] == 1
    assert (metrics["map50_build"], metrics["map50_delta"]) == (metrics["map50"], 0)


def test_detections_above_the_thresholds_are_counted_by_kind(judged):
    clumsy = [[0.9, 0], [0.6, 0], [0.55, 0.45]]
    metrics, _, _ = judged([clumsy], [[CAT, DOG]])
    assert (metrics["detections"], metrics["test_boxes"]) == (4, 2)
    assert (metrics["wrong_class"], metrics["background"], metrics["missed"]) == (1, 2, 0)
    assert (metrics["precision"], metrics["recall"]) == (0.25, 0.5)


def test_one_lost_box_is_no_drop_for_the_gate(judged):
    boxes = [[CAT, DOG]] * 40
    lost = [*[GOOD] * 39, [GOOD[0], [0, 0], [0, 0]]]
    metrics, _, _ = judged(lost, boxes, floating=[GOOD] * 40)
    assert 0 < metrics["map50_drop"] < 1 / 40
    assert metrics["map50_drop_beyond_one"] == 0


def test_a_ready_model_has_no_float_form(judged):
    metrics, report, _ = judged([GOOD], [[CAT, DOG]], ready=True)
    assert not {"float_map50", "float_map", "map50_drop"} & metrics.keys()
    assert "float model" not in report["card"]["Figures"]


def test_a_size_without_true_boxes_has_no_figure(judged):
    metrics, _, _ = judged([GOOD], [[CAT, DOG]])
    assert (metrics["map50_small"], metrics["map50_medium"]) == (1, 1)  # 30² and 40² pixels
    assert "map50_large" not in metrics


def test_a_class_without_a_true_box_is_untested_and_noted(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.detection.score.note", said.append)
    metrics, report, _ = judged([GOOD], [[CAT]])
    assert metrics["untested_classes"] == 1
    assert said[0] == "the test part has no object of dog: annotate pictures with them"
    assert "| dog | not tested | 0.40 | 0 |" in report["card"]["Figures"]


def test_a_model_no_better_than_the_baseline_is_noted(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.detection.score.note", said.append)
    judged([BLIND], [[CAT, DOG]])
    assert said[0].startswith("a mAP@0.5 of 0.0000 is no better than always answering the mean box")


def test_without_a_true_box_the_model_is_unevaluated(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.detection.score.note", said.append)
    metrics, report, figures = judged([GOOD], [[]])
    assert not {"map50", "baseline_margin", "untested_classes"} & metrics.keys()
    assert (metrics["test_pictures"], metrics["test_boxes"], metrics["detections"]) == (1, 0, 2)
    assert said[0].startswith("the model is unevaluated: the test part has no annotated object")
    assert report["card"]["Figures"].startswith("Unevaluated")
    ((name, figure),) = figures.items()
    assert name == "detections, not evaluated"
    assert [one["caption"] for one in figure["pictures"]] == ["2 found: 0.jpg"]


def test_the_answers_are_rows_in_pixels_of_the_original_picture(judged):
    _, report, _ = judged([GOOD], [[CAT, DOG]])
    (answer,) = report["answers"]
    assert answer["file"] == "00.png"
    cat, dog = answer["rows"]
    assert cat == {
        "label": "cat",
        "score": 0.9,
        **dict(zip(("top", "left", "bottom", "right"), CAT[1:], strict=True)),
    }
    assert (dog["label"], dog["bottom"]) == ("dog", pytest.approx(0.9 * SIDE))


def test_the_figures_show_curves_tables_and_pictures(judged):
    _, _, figures = judged([GOOD, BLIND], [[CAT, DOG], [CAT]], floating=[GOOD, GOOD])
    curve = figures["precision over recall, at an overlap of 0.5"]
    assert [one["name"] for one in curve["series"]] == ["int8, area 0.752", "float, area 1.000"]
    assert {"classes", "sizes", "kinds of error", "scores of the detections"} <= figures.keys()
    assert "F1 over the threshold, by class" in figures
    captions = [
        one["caption"]
        for one in next(one for one in figures.values() if "pictures" in one)["pictures"]
    ]
    assert captions == ["1 missed: 1.jpg", "all right: 0.jpg"]


def test_outputs_of_another_part_are_refused(judged, tmp_path):
    judged([GOOD], [[CAT]])
    _truth.write(tmp_path / "test", truth([[CAT], [DOG]]), ["", ""])
    with pytest.raises(StageError, match="outputs for 1 pictures, but 2 pictures in the test part"):
        score(*arguments(tmp_path))
