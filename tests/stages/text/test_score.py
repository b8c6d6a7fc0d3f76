"""The score of an intent classifier, on logits whose figures were worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from engine import stage
from engine.stage import StageError
from stages.tasks.text.decision import Decision
from stages.tasks.text.features import Features
from stages.text import _card
from stages.text.score import score
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor
from tests.stages.text import made

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
TRAIN = [("hello you", "greet"), ("play jazz", "music"), ("will it rain", "weather")]
ROWS = [
    ("hello bot", "greet"),
    ("play rock", "music"),
    ("play it again", "music"),
    ("sell my shares", None),
]
LOGITS = [[3, 0, 0], [0, 2, 0], [1.5, 1, 0], [0.5, 0, 0]]


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Judge logits of the target; return metrics, report, figures and notes."""
    figures: dict[str, object] = {}
    notes: list[str] = []
    monkeypatch.setattr(
        "engine.stage.figures.figure", lambda kind, name, **how: figures.update({name: how})
    )
    monkeypatch.setattr(stage, "note", notes.append)
    monkeypatch.setattr("stages.text.score.note", notes.append)

    def run(there=LOGITS, rows=ROWS, floating=None, threshold=0.6, keeps=True):
        features = Features.fit([text for text, _ in TRAIN])
        made.part_of(tmp_path / "train", TRAIN, features)
        made.part_of(tmp_path / "test", rows, features)
        (part.raw_folder(tmp_path / "test") / "00.txt").write_text(rows[0][0])
        part.write_items(tmp_path / "test", {"00.txt": (0, 0)})
        (tmp_path / "test/constants.json").write_text(json.dumps({"keep_sentences": keeps}))
        decision = Decision(threshold, 1.0, 0.0).as_constants()
        (tmp_path / "decision.json").write_text(json.dumps(decision))
        runs = {
            "outputs": (there, "int8"),
            "reference/default": (there, "int8"),
            "reference/float": (there if floating is None else floating, "float"),
        }
        for folder, (logits, form) in runs.items():
            values = np.array(logits, np.float32)
            model = SimpleNamespace(outputs={"l": Tensor("l", (1, 3), "float32")})
            about = {**ABOUT, "model_sha256": form}
            outputs.write(tmp_path / folder, {"l": values}, model, about)
        names = ("test", "train", "outputs", "reference", "decision.json")
        metrics = score(*(tmp_path / name for name in names), tmp_path / "report.json")
        report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        return SimpleNamespace(metrics=metrics, report=report, figures=figures, notes=notes)

    return run


def test_accuracy_is_of_sentences_in_scope_beside_float_and_baselines(judged):
    better = [*LOGITS[:2], [1, 1.5, 0], LOGITS[3]]
    found = judged(floating=better).metrics
    assert (found["correct"], found["test_examples"]) == (2, 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert (found["float_accuracy"], found["accuracy_drop_beyond_one"]) == (1, 0)
    assert found["majority_baseline"] == pytest.approx(2 / 3)
    assert (found["baseline_margin"], found["centroid_accuracy"]) == (0, 1)
    assert (found["top_3"], found["untested_classes"]) == (1, 1)


def test_answers_and_rejections_are_counted_at_the_threshold(judged):
    # with a class of weight 1 for nothing, the confidences are 0.87, 0.71, 0.49 and 0.35
    found = judged().metrics
    assert found["coverage"] == pytest.approx(2 / 3)
    assert (found["answered_accuracy"], found["oos_rejected"], found["oos_examples"]) == (1, 1, 1)
    assert (found["oos_auroc"], found["float_oos_auroc"]) == (1, 1)


def test_the_area_falls_with_each_sentence_that_is_less_certain_than_one_out_of_scope(judged):
    found = judged([*LOGITS[:3], [1.8, 0, 0]]).metrics
    assert found["oos_auroc"] == pytest.approx(2 / 3)


def test_without_sentences_out_of_scope_their_figures_are_missing(judged):
    found = judged(LOGITS[:3], ROWS[:3])
    assert not {"oos_auroc", "oos_rejected", "float_oos_auroc"} & found.metrics.keys()
    assert "out-of-scope ROC" not in found.figures
    assert any("no test sentence is out of scope" in text for text in found.notes)


def test_the_answers_for_verify_are_empty_if_the_sentence_is_rejected(judged):
    assert judged().report["answers"] == [
        {"file": "00.txt", "rows": [{"intent": "greet", "score": 0.87}]}
    ]


def test_a_rejected_item_has_no_intent(judged):
    row = judged(threshold=0.99).report["answers"][0]["rows"][0]
    assert row["intent"] == ""


def test_the_figures_show_confusion_coverage_mistakes_and_data(judged):
    figures = judged().figures
    assert figures["confusion"]["matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert figures["accuracy over coverage"]["series"][0]["y"] == pytest.approx([1, 1, 2 / 3])
    assert figures["worst mistakes"]["rows"] == [["play it again", "music", "greet", 0.487, False]]
    assert figures["sentences per intent"]["rows"][1][:3] == ["music", 1, 2]


def test_answered_sentences_out_of_scope_are_listed(judged):
    figures = judged([*LOGITS[:3], [0, 0, 5]]).figures
    assert figures["answered out of scope"]["rows"] == [["sell my shares", "weather", 0.98]]


def test_the_card_says_how_little_few_sentences_mean(judged):
    card = judged().report["card"]
    assert "**These figures mean little.** 3 test sentences cannot tell" in card["Figures"]
    assert "| music | 1 | 2 |" in card["Data"]


def test_the_card_shows_names_as_they_are():
    counts = {"training": np.array([2])}
    card = _card._data(["<b>a|b</b>"], counts)
    assert "| &lt;b&gt;a\\|b&lt;/b&gt; | 2 |" in card


@pytest.mark.parametrize("keeps", [True, False])
def test_the_card_says_that_training_sentences_travel_if_they_do(judged, keeps):
    says = "training sentences travel in the package" in judged(keeps=keeps).report["card"]["Data"]
    assert says == keeps


def test_intents_without_a_test_sentence_are_named(judged):
    assert "the test part has no sentence of weather: add sentences" in judged().notes


def test_a_test_part_without_intents_is_refused(judged):
    with pytest.raises(StageError, match="no test sentence has an intent"):
        judged(LOGITS[:1], ROWS[3:])


def test_outputs_of_another_part_are_refused(judged):
    with pytest.raises(StageError, match="outputs for 3 sentences, but 4 sentences"):
        judged(LOGITS[:3])
