"""Outputs compared with the truth, clip by clip. The outputs are synthetic: no model runs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine.stage import StageError
from stages.pose import score as module
from stages.pose.score import score
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor
from tests.stages.conftest import write_part

CAT, DOG, OWL = np.eye(3, dtype=np.float32)
FLOAT = Tensor("scores", (1, 3), "float32")
NOWHERE = {"examples": 0, "outputs_differ": 2, "max_step_difference": 5.0, "reference_examples": 1}
DIFFERENCE = {**NOWHERE, "reference_bit_equal": True, "machine": "x86_64", "runtime": "LiteRT 9"}
ABOUT = {
    "runtime": "LiteRT 9",
    "accelerator": "cpu",
    "measured_on": "device",
    "difference": DIFFERENCE,
}


@pytest.fixture
def scored(tmp_path):
    """Score outputs of the target, and of the build machine in int8 and float; return both results."""

    def made(
        scores,
        truth,
        clips=None,
        *,
        build=None,
        floating=None,
        spans=None,
        nothing=None,
        people=None,
    ):
        shutil.rmtree(tmp_path, ignore_errors=True)
        test = write_part(tmp_path / "test", np.zeros((len(truth), 3)), truth, clips)
        about = json.loads((test / "truth.json").read_text())
        (test / "truth.json").write_text(json.dumps({**about, "people": people}))
        if nothing is not None:
            np.save(test / "truth_nothing.npy", np.array(nothing, bool))
        if spans:
            part.raw_folder(test)
            part.write_items(test, spans)
        written(tmp_path / "outputs", scores)
        written(tmp_path / "reference/default", scores if build is None else build)
        written(tmp_path / "reference/float", scores if floating is None else floating)
        metrics = score(test, tmp_path / "outputs", tmp_path / "reference", tmp_path / "report")
        return metrics, json.loads((tmp_path / "report").read_text())

    return made


@pytest.fixture
def notes(monkeypatch):
    """The stage's notes."""
    said = []
    monkeypatch.setattr(module, "note", said.append)
    return said


def written(folder: Path, scores, tensor: Tensor = FLOAT, **more) -> None:
    model = SimpleNamespace(outputs={"scores": tensor, **more})
    values = np.array(scores, np.float32).reshape(-1, 3)
    raw = dict.fromkeys(model.outputs, values)
    outputs.write(folder, raw, model, ABOUT)


def test_rows_of_the_confusion_matrix_are_the_truth(scored):
    _, report = scored([CAT, DOG, DOG, OWL], [0, 0, 1, 1])
    assert report["confusion_matrix"] == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_accuracy_is_the_share_that_is_right(scored):
    metrics, report = scored([CAT, DOG, OWL, CAT], [0, 1, 2, 2])
    assert (metrics["accuracy"], metrics["correct"], metrics["test_examples"]) == (0.75, 3, 4)
    assert (report["accuracy"], report["float_accuracy"]) == (0.75, 0.75)


def test_the_majority_baseline_is_the_share_of_the_most_frequent_class(scored):
    assert scored([CAT] * 5, [1, 1, 1, 0, 2])[0]["majority_baseline"] == 0.6


def test_classes_without_a_test_clip_are_counted_and_named(scored, notes):
    metrics, _ = scored([CAT, CAT], [0, 0])
    assert metrics["untested_classes"] == 2
    assert "the test part has no clip of dog, owl: record more" in notes[-2]


def test_a_model_no_better_than_the_majority_is_named(scored, notes):
    metrics, _ = scored([CAT] * 5, [0, 0, 0, 1, 2])
    assert metrics["baseline_margin"] == 0
    assert "0.6000 is no better than always answering cat (0.6000)" in notes[-1]


def test_f1_of_a_class_is_that_of_precision_and_recall(scored):
    _, report = scored([CAT, CAT, DOG, OWL], [0, 0, 0, 1])  # cat: precision 1, recall 2/3
    assert report["classes"]["cat"] == {"f1": pytest.approx(0.8), "examples": 3, "nothing": 0}


def test_f1_of_an_absent_class_is_0_and_left_out_of_the_mean(scored):
    metrics, report = scored([CAT, DOG], [0, 1])
    assert report["classes"]["owl"] == {"f1": 0.0, "examples": 0, "nothing": 0}
    assert metrics["f1_macro"] == 1.0


def test_a_class_that_is_never_guessed_counts_in_the_mean(scored):
    metrics, report = scored([CAT, CAT], [0, 1])
    assert (report["classes"]["dog"]["f1"], metrics["f1_macro"]) == (0.0, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    "windows",
    [
        [[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 1, 0]],  # most windows say cat, their mean says dog
        [[0, 0.5, 0.9], [0, 0.5, 0], [0, 0.5, 0]],  # the highest score is owl's, the mean dog's
    ],
    ids=["most", "highest"],
)
def test_the_scores_of_a_clips_windows_are_averaged(scored, windows):
    metrics, report = scored(windows, [1, 1, 1], clips=[7, 7, 7])
    assert (metrics["accuracy"], metrics["test_examples"]) == (1.0, 1)
    assert report["confusion_matrix"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_windows_of_a_clip_need_not_stand_together(scored):
    metrics, _ = scored([CAT, DOG, CAT, DOG, OWL], [0, 1, 0, 1, 2], clips=[9, 3, 9, 3, 5])
    assert (metrics["accuracy"], metrics["test_examples"]) == (1.0, 3)


def test_the_drop_is_what_the_int8_model_loses(scored):
    metrics, _ = scored([CAT, DOG], [1, 1], floating=[DOG, DOG])
    found = (metrics["accuracy"], metrics["float_accuracy"], metrics["accuracy_drop"])
    assert found == (0.5, 1.0, 0.5)


def test_the_accuracys_difference_is_the_targets_minus_the_build_machines(scored):
    metrics, _ = scored([CAT, CAT], [0, 0], build=[CAT, DOG])
    assert (metrics["accuracy_build"], metrics["accuracy_delta"]) == (0.5, 0.5)


def test_what_infer_found_is_carried_along(scored, monkeypatch):
    where = []
    monkeypatch.setattr(module, "measured_on", where.append)
    metrics, report = scored([CAT], [0])
    assert (metrics["outputs_differ"], metrics["max_step_difference"]) == (2, 5)
    assert metrics["reference_bit_equal"] == 1
    assert (where, report["measured_on"], report["runtime"]) == (["device"], "device", "LiteRT 9")


def test_the_answers_that_verify_expects_are_those_of_the_items_examples(scored):
    spans = {"00.csv": (0, 1), "01.csv": (2, 2)}
    _, report = scored([CAT, [0.2, 0.7, 0.1], OWL], [0, 0, 1], clips=[0, 0, 1], spans=spans)
    cat, dog, owl = (
        {"activity": label, "probability": probability}
        for label, probability in (("cat", 1.0), ("dog", 0.7), ("owl", 1.0))
    )
    assert report["answers"] == [
        {"file": "00.csv", "rows": [cat, dog]},
        {"file": "01.csv", "rows": [owl]},
    ]


def test_a_clip_that_shows_nobody_is_wrong_whatever_its_class(scored):
    metrics, report = scored([CAT, DOG, DOG], [0, 1, 1], nothing=[1, 0, 0], build=[DOG, DOG, DOG])
    assert (metrics["accuracy"], metrics["accuracy_build"]) == (pytest.approx(2 / 3),) * 2
    assert (metrics["nothing_seen"], metrics["test_examples"]) == (1, 3)
    assert report["classes"]["cat"] == {"f1": 0.0, "examples": 1, "nothing": 1}
    assert report["confusion_matrix"] == [[0, 0, 0], [0, 2, 0], [0, 0, 0]]


def test_windows_that_show_nobody_have_no_say_in_their_clip(scored):
    metrics, _ = scored([DOG, DOG, CAT], [0, 0, 0], clips=[4, 4, 4], nothing=[1, 1, 0])
    assert (metrics["accuracy"], metrics["nothing_seen"]) == (1.0, 0)


def test_verify_expects_nothing_of_windows_that_show_nobody(scored):
    _, report = scored([CAT, DOG], [0, 1], nothing=[0, 1], spans={"00.csv": (0, 1)})
    cat, nothing = report["answers"][0]["rows"]
    assert cat["activity"] == "cat"
    assert nothing == {"activity": "nothing", "probability": None}


def test_the_figure_has_nothing_as_an_answer_if_some_clip_shows_nobody(scored, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "confusion_matrix", lambda *figure: drawn.append(figure))
    scored([CAT, DOG], [0, 1], nothing=[1, 0])
    (_, labels, rows), *_ = drawn
    assert labels == ["cat", "dog", "owl", "nothing"]
    assert rows == [[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_card_names_classes_clips_and_figures(scored):
    card = scored([CAT, DOG], [0, 1])[1]["card"]
    assert "| activity | train | test |" in card["Data"] and "| cat | 50 | 60 |" in card["Data"]
    assert "Accuracy on 2 test clips: 1.000 (95 % interval 0.158 to 1.000" in card["Figures"]
    assert "of the float model 1.000" in card["Figures"]
    assert "| cat | 1.000 | 1 |" in card["Figures"]


def test_the_card_says_which_classes_were_not_tested_and_gives_them_no_f1(scored):
    card = scored([CAT, DOG], [0, 1])[1]["card"]
    assert "Not tested, for lack of test clips: owl." in card["Figures"]
    assert "| owl |" not in card["Figures"]


def test_the_interval_of_the_accuracy_is_over_people_if_enough_are_known(scored):
    right = [CAT] * 10 + [DOG] * 2
    alone, _ = scored(right, [0] * 12)
    truth = [0] * 12
    people, report = scored(right, truth, people=list("aabbccddeeff"))
    assert people["accuracy"] == alone["accuracy"]
    assert people["accuracy_low"] < alone["accuracy_low"] < people["accuracy"]
    assert "over people" in report["card"]["Figures"]


def test_the_confusion_matrix_and_the_difference_are_said_to_the_run(scored, monkeypatch):
    said = []
    monkeypatch.setattr(module, "note", said.append)
    monkeypatch.setattr(module, "confusion_matrix", lambda *figure: said.append(figure))
    scored([CAT, DOG], [0, 2])
    floating, figure, note, *_ = said
    assert floating == ("float", ["cat", "dog", "owl"], [[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    assert figure == ("int8", ["cat", "dog", "owl"], [[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    assert note == "accuracy 0.5000, +0.0000 compared with x86_64 and LiteRT 9"


def test_outputs_of_another_part_are_refused(scored):
    with pytest.raises(StageError, match="outputs for 1 windows, but 2 windows in the test part"):
        scored([CAT], [0, 1])


def test_a_model_of_several_outputs_is_no_activity_classifier(tmp_path):
    test = write_part(tmp_path / "test", np.zeros((1, 3)), [0])
    for name in ("outputs", "reference/default", "reference/float"):
        written(tmp_path / name, [CAT], boxes=FLOAT)
    with pytest.raises(StageError, match="must have one output, but this one has 2"):
        score(test, tmp_path / "outputs", tmp_path / "reference", tmp_path / "report")
