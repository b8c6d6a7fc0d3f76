"""The measures of answers, and what makes a figure worth something."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom.score import score
from stages.tasks.columns.decision import Decision
from stages.tflite import part

CLASSES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
AMOUNTS = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])


@pytest.fixture
def scored(tmp_path):
    """Write parts and outputs, and run the stage; return metrics and report."""

    def run(truth, packed, decision, labels=(), original=None):
        about = {"target": "y", "labels": list(labels)}
        for name in ("train", "test"):
            part.write(tmp_path / name, {"row": np.zeros((len(truth), 2))})
            np.save(tmp_path / name / "truth_target.npy", truth)
            (tmp_path / name / "truth.json").write_text(json.dumps(about))
        raw = part.raw_folder(tmp_path / "test")
        np.save(raw / "0.npy", np.zeros(2))
        part.write_items(tmp_path / "test", {"0.npy": (9, 9)})
        _write(tmp_path / "outputs", packed, "a")
        _write(tmp_path / "reference" / "default", packed, "a")
        _write(
            tmp_path / "reference" / "float",
            *((packed, "a") if original is None else (original, "b")),
        )
        (tmp_path / "decision.json").write_text(json.dumps(decision.as_constants()))
        names = ("test", "train", "outputs", "reference", "decision.json", "report.json")
        metrics = score(*(tmp_path / name for name in names))
        return metrics, json.loads((tmp_path / "report.json").read_text())

    return run


def _write(folder, outputs, sha256):
    folder.mkdir(parents=True)
    np.save(folder / "00.npy", np.asarray(outputs, np.float64))
    tensor = {"name": "y", "shape": [1, 1], "type": "float64", "file": "00.npy"}
    difference = {"outputs_differ": 0, "max_step_difference": 0, "reference_bit_equal": True}
    about = {
        "runtime": "numpy 1",
        "accelerator": "cpu",
        "measured_on": "device",
        "model_sha256": sha256,
        "difference": difference,
        "tensors": {"y": tensor},
    }
    (folder / "outputs.json").write_text(json.dumps(about))


def _logits(classes):
    return np.eye(2)[classes] * 3


def test_the_accuracy_is_compared_with_the_most_frequent_class(scored):
    answers = CLASSES.copy()
    answers[:2] = 1
    metrics, report = scored(CLASSES, _logits(answers), Decision("y", "classify"), ["no", "yes"])
    assert (metrics["accuracy"], metrics["baseline_majority"], metrics["correct"]) == (0.8, 0.6, 8)
    assert metrics["skill_low"] < 0.5 < metrics["skill_high"]
    assert metrics["skill"] == pytest.approx(0.5) and metrics["auroc"] == pytest.approx(5 / 6)
    assert "accuracy_drop" not in metrics  # there is no other form of the model
    assert metrics["chance_margin"] == metrics["auroc_low"] - 0.5 > 0
    [answer] = report["answers"]
    assert answer["rows"] == [{"row": 1, "value": "yes", "score": pytest.approx(0.9526)}]
    assert "0.8" in report["card"]["Figures"] and report["measured_on"] == "device"


def test_what_quantisation_costs_is_measured(scored):
    answers = CLASSES.copy()
    answers[:2] = 1
    decision = Decision("y", "classify")
    metrics, _ = scored(CLASSES, _logits(answers), decision, ["no", "yes"], _logits(CLASSES))
    assert metrics["accuracy_drop"] == pytest.approx(0.2)
    assert metrics["accuracy_drop_beyond_one"] == pytest.approx(0.2)


def test_amounts_are_compared_with_the_median(scored):
    decision = Decision("y", "regress", "value")
    metrics, report = scored(AMOUNTS, AMOUNTS[:, None] + 0.5, decision, (), AMOUNTS[:, None])
    assert (metrics["mad"], metrics["rmse"], metrics["baseline_median"]) == (0.5, 0.5, 2.5)
    assert metrics["skill_low"] < 0.8 < metrics["skill_high"]
    assert metrics["skill"] == 0.8 and metrics["skill_drop"] == pytest.approx(0.2)
    assert metrics["r2"] == pytest.approx(1 - 2.5 / 82.5)
    assert report["answers"][0]["rows"] == [{"row": 1, "value": 10.5}]


def test_a_model_that_knows_nothing_fails_the_gate(scored):
    metrics, _ = scored(CLASSES, _logits(0 * CLASSES), Decision("y", "classify"), ["no", "yes"])
    assert metrics["chance_margin"] <= 0 and metrics["skill"] == 0


def test_outputs_for_other_examples_are_refused(scored):
    with pytest.raises(StageError, match="9 examples"):
        scored(CLASSES, _logits(CLASSES[:9]), Decision("y", "classify"), ["no", "yes"])
