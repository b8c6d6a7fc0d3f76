"""The score of a picture classifier, on outputs whose figures were worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from engine import stage
from engine.stage import StageError
from stages.tasks.head import Head
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor
from stages.vision.score import score

LABELS = ["cat", "dog", "owl"]
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


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Judge scores of the target beside those of the build machine; return metrics, report and figures."""
    figures: dict[str, object] = {}
    monkeypatch.setattr(
        "engine.stage.figures.figure", lambda kind, name, **how: figures.update({name: how})
    )
    monkeypatch.setattr(stage, "note", lambda text: None)

    def run(there, truth, floating=None, threshold=0.4, labels=LABELS, layer=None, **decided):
        test = tmp_path / "test"
        part.write(test, {"picture": np.zeros((len(truth), 8, 8, 3), np.uint8)})
        part.raw_folder(test)
        part.write_items(test, {"00.png": (0, 0)})
        np.save(test / "truth_class.npy", np.array(truth))
        names = [f"{at}.png" for at in range(len(truth))]
        (test / "truth.json").write_text(json.dumps({"labels": labels, "names": names}))
        (tmp_path / "decision.json").write_text(json.dumps({"threshold": threshold, **decided}))
        for folder, scores, form in (
            ("outputs", there, "int8"),
            ("reference/default", there, "int8"),
            (
                "reference/float",
                there if floating is None else floating,
                "int8" if layer else "float",
            ),
        ):
            values = np.array(scores, np.float32)
            model = SimpleNamespace(outputs={"p": Tensor("p", (1, values.shape[1]), "float32")})
            about = {**ABOUT, "model_sha256": form}
            outputs.write(tmp_path / folder, {"p": values}, model, about)
        folders = (test, tmp_path / "outputs", tmp_path / "reference", tmp_path / "decision.json")
        if layer:
            (tmp_path / "head").mkdir()
            layer.write(tmp_path / "head")
        head = tmp_path / "head" if layer else None
        metrics = score(*folders, tmp_path / "report.json", head)
        return metrics, json.loads((tmp_path / "report.json").read_text()), figures

    return run


SCORES = [[0.9, 0.1, 0.0], [0.5, 0.3, 0.2], [0.3, 0.36, 0.34], [0.1, 0.8, 0.1]]


def test_accuracy_is_of_the_int8_model_beside_float_and_baseline(judged):
    better = [SCORES[0], [0.3, 0.5, 0.2], SCORES[2], SCORES[3]]
    metrics, _, _ = judged(SCORES, [0, 1, 1, 1], floating=better)
    assert (metrics["accuracy"], metrics["float_accuracy"], metrics["accuracy_drop"]) == (
        0.75,
        1,
        0.25,
    )
    assert metrics["accuracy_drop_beyond_one"] == 0  # one picture of four
    assert (metrics["correct"], metrics["test_examples"]) == (3, 4)
    assert (metrics["majority_baseline"], metrics["baseline_margin"]) == (0.75, 0)
    assert metrics["untested_classes"] == 1
    assert metrics["f1_macro"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_a_picture_of_no_probable_class_is_none_of_these_and_counted(judged):
    metrics, report, _ = judged([[0.35, 0.33, 0.32], *SCORES[1:]], [0, 1, 1, 1])
    assert metrics["rejected"] == 0.5
    assert report["answers"] == [
        {"file": "00.png", "rows": [{"label": "none of these", "probability": 0.35}]}
    ]


def test_the_figures_show_the_surest_mistakes_and_both_matrices(judged):
    _, _, figures = judged(SCORES, [0, 1, 2, 0])
    assert {"int8", "float", "classes", "reliability", "surest mistakes"} <= figures.keys()
    captions = [one["caption"] for one in figures["surest mistakes"]["pictures"]]
    assert captions[0] == "predicted dog (80%), is cat: 3.png"


def test_two_classes_have_an_roc(judged):
    _, _, figures = judged([[0.9, 0.1], [0.2, 0.8]], [0, 1], labels=LABELS[:2])
    assert [one["name"] for one in figures["ROC of dog"]["series"]] == [
        "int8, area 1.000",
        "float, area 1.000",
    ]
    assert "top-k accuracy" not in figures


def test_more_classes_have_a_curve_of_top_k(judged):
    _, _, figures = judged(SCORES, [0, 1, 2, 0])
    assert figures["top-k accuracy"]["series"][0]["x"] == [1, 2, 3]
    assert figures["top-k accuracy"]["series"][0]["y"][-1] == 1


def test_each_point_of_the_reliability_has_its_number_of_pictures(judged):
    _, _, figures = judged(SCORES, [0, 1, 2, 0])
    counts = figures["probability of the predicted class"]["series"][0]["counts"]
    assert sum(counts) == 4


def test_the_card_gives_no_f1_to_a_class_that_was_not_tested(judged):
    _, report, _ = judged(SCORES, [0, 1, 1, 1])
    assert "| owl | not tested | 0 |" in report["card"]["Figures"]


def test_outputs_of_another_part_are_refused(judged, tmp_path):
    judged(SCORES, [0, 1, 1, 1])
    np.save(tmp_path / "test" / "truth_class.npy", np.zeros(3, np.int64))
    folders = [tmp_path / name for name in ("test", "outputs", "reference", "decision.json")]
    with pytest.raises(StageError, match="outputs for 4 pictures, but 3 pictures in the test part"):
        score(*folders, tmp_path / "again.json")


LAYER = Head(np.float32([[9, 0], [0, 9], [-9, -9]]), np.zeros(3, np.float32))
EMBEDDINGS = [[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]]


def test_embeddings_go_through_the_last_layer_and_have_no_float_form(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.vision.score.note", said.append)
    metrics, report, figures = judged(EMBEDDINGS, [0, 0, 1, 1], layer=LAYER)
    assert metrics["accuracy"] == 1
    assert not {"float_accuracy", "accuracy_drop"} & metrics.keys() and "float" not in figures
    assert "float model" not in report["card"]["Figures"]
    assert said[-1].startswith("the model has no float form")
    assert report["answers"][0]["rows"][0]["label"] == "cat"


def test_a_model_with_kept_classes_that_are_not_tested_is_unevaluated(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.vision.score.note", said.append)
    metrics, report, _ = judged(EMBEDDINGS[2:], [1, 1], layer=LAYER, head={"kept": 1})
    assert (metrics["kept_untested"], metrics["untested_classes"]) == (1, 1)
    assert metrics["tested_accuracy"] == 1
    assert not {"accuracy", "baseline_margin"} & metrics.keys()
    assert said[0].startswith(
        "the model is unevaluated: 1 of its 3 classes come from assets.packed"
    )
    assert report["card"]["Figures"].startswith("Unevaluated: 1 of the 1 classes")


def test_a_model_whose_kept_classes_are_all_tested_is_evaluated(judged):
    metrics, _, _ = judged(EMBEDDINGS, [0, 0, 1, 1], layer=LAYER, head={"kept": 2})
    assert (metrics["accuracy"], metrics["kept_untested"], metrics["untested_classes"]) == (1, 0, 1)


def test_a_point_of_the_reliability_needs_five_pictures(judged):
    _, _, figures = judged([[0.9, 0.1, 0.0]] * 5 + [[0.5, 0.3, 0.2]] * 4, [0] * 9)
    points = {one["name"]: len(one["x"]) for one in figures["reliability"]["series"]}
    assert points == {"ideal": 2, "int8": 1, "float": 1}


def test_the_threshold_is_noted_with_the_share_that_it_rejects(judged, monkeypatch):
    said = []
    monkeypatch.setattr("stages.vision.score.note", said.append)
    judged(SCORES, [0, 1, 1, 1], threshold=0.4)
    assert said[-1] == (
        "pictures whose highest class probability is below 40.0% are labelled 'none of these': 25.0% of "
        "the test pictures"
    )


def test_the_accuracy_has_an_interval_over_the_test_pictures(judged):
    metrics, report, _ = judged(SCORES * 10, [0, 1, 1, 1] * 10)
    assert metrics["accuracy"] == 0.75
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == pytest.approx(
        (0.6, 0.88), abs=0.05
    )
    assert "Accuracy on 40 test pictures: 0.750 (95 % interval" in report["card"]["Figures"]
    assert "out of 3 classes" in report["card"]["Intended use"]
