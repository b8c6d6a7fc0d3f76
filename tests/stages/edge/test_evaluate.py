"""Both models against the truth. The network here returns what it is given, so that the test examples are its scores."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge.evaluate import evaluate

CAT, DOG, OWL = np.eye(3, dtype=np.float32)


@pytest.fixture
def evaluated(mirror, unit, tmp_path):
    """Evaluate scores against the truth; return the metrics and the report."""

    def made(scores, truth, clips=None, **params):
        dataset = _dataset(tmp_path, unit, scores, truth, clips)
        metrics = evaluate(dataset, report=tmp_path / "report", **mirror, **params)
        return metrics, json.loads((tmp_path / "report").read_text())

    return made


def _dataset(folder: Path, unit: Path, scores, truth, clips=None) -> Path:
    dataset = folder / "dataset"
    dataset.mkdir()
    (dataset / "dataset.json").write_text((unit / "dataset.json").read_text())
    np.save(dataset / "x_test.npy", np.array(scores, np.float32).reshape(-1, 3))
    np.save(dataset / "y_test.npy", np.array(truth, np.int64))
    if clips is not None:
        np.save(dataset / "clip_test.npy", np.array(clips, np.int64))
    return dataset


def test_rows_of_the_confusion_matrix_are_the_truth(evaluated):
    _, report = evaluated([CAT, DOG, DOG, OWL], [0, 0, 1, 1])
    assert report["confusion_matrix"] == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_accuracy_is_the_share_that_is_right(evaluated):
    metrics, report = evaluated([CAT, DOG, OWL, CAT], [0, 1, 2, 2])
    assert (metrics["accuracy"], metrics["correct"], metrics["test_examples"]) == (0.75, 3, 4)
    assert (report["accuracy"], report["float_accuracy"]) == (0.75, 0.75)


def test_the_majority_baseline_is_the_share_of_the_most_frequent_class(evaluated):
    assert evaluated([CAT] * 5, [1, 1, 1, 0, 2])[0]["majority_baseline"] == 0.6


def test_f1_of_a_class_is_that_of_precision_and_recall(evaluated):
    _, report = evaluated([CAT, CAT, DOG, OWL], [0, 0, 0, 1])  # cat: precision 1, recall 2/3
    assert report["classes"]["cat"] == {"f1": pytest.approx(0.8), "examples": 3}


def test_f1_of_an_absent_class_is_0_and_left_out_of_the_mean(evaluated):
    metrics, report = evaluated([CAT, DOG], [0, 1])
    assert report["classes"]["owl"] == {"f1": 0.0, "examples": 0}
    assert metrics["f1_macro"] == 1.0


def test_a_class_that_is_never_guessed_counts_in_the_mean(evaluated):
    metrics, report = evaluated([CAT, CAT], [0, 1])
    assert (report["classes"]["dog"]["f1"], metrics["f1_macro"]) == (0.0, pytest.approx(1 / 3))


@pytest.mark.parametrize("windows", [
    [[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 1, 0]],  # most windows say cat, their mean says dog
    [[0, 0.5, 0.9], [0, 0.5, 0], [0, 0.5, 0]],  # the highest score of all is owl's, the mean is dog's
], ids=["most", "highest"])  # fmt: skip
def test_the_scores_of_a_clips_windows_are_averaged(evaluated, windows):
    metrics, report = evaluated(windows, [1, 1, 1], clips=[7, 7, 7])
    assert (metrics["accuracy"], metrics["test_examples"]) == (1.0, 1)
    assert report["confusion_matrix"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_windows_of_a_clip_need_not_stand_together(evaluated):
    metrics, _ = evaluated([CAT, DOG, CAT, DOG, OWL], [0, 1, 0, 1, 2], clips=[9, 3, 9, 3, 5])
    assert (metrics["accuracy"], metrics["test_examples"]) == (1.0, 3)


def test_without_clips_each_example_counts(evaluated):
    assert evaluated([[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 1, 0]], [1, 1, 1])[0]["correct"] == 1


def test_the_drop_is_what_the_int8_model_loses(evaluated):
    metrics, report = evaluated([[0.5, 0.5005, 0], DOG], [1, 1])  # in int8 both are one number, and the first wins
    assert (metrics["accuracy"], metrics["float_accuracy"], metrics["accuracy_drop"]) == (0.5, 1.0, 0.5)
    assert (report["accuracy"], report["float_accuracy"]) == (0.5, 1.0)


def test_an_empty_test_part_is_refused(evaluated):
    with pytest.raises(StageError, match=r"^the test part is empty$"):
        evaluated([], [])


def test_an_unknown_runtime_is_refused(evaluated):
    with pytest.raises(StageError, match="there is no runtime 'onnx': litert or tflite_runtime"):
        evaluated([CAT], [0], runtime="onnx")


def test_a_model_that_is_cut_off_is_refused(mirror, unit, tmp_path):
    torn = tmp_path / "torn"
    torn.write_bytes(mirror["int8_model"].read_bytes()[:500])
    dataset = _dataset(tmp_path, unit, [CAT], [0])
    with pytest.raises(StageError, match="cannot open the model"):
        evaluate(dataset, torn, mirror["float_model"], tmp_path / "report")


def test_the_report_names_the_runtime_and_its_version(evaluated):
    assert evaluated([CAT], [0])[1]["runtime"].startswith("LiteRT ")


def test_the_devices_runtime_says_the_same(do, mirror, unit, tmp_path):
    if importlib.util.find_spec("tflite_runtime") is None:
        pytest.skip("tflite-runtime has no build for this Python")
    dataset = _dataset(tmp_path, unit, [CAT, DOG, [0.2, 0.3, 0.5]], [0, 1, 1])
    done = do("stages.edge.evaluate", {"dataset": dataset, **mirror}, runtime="tflite_runtime")  # beside TensorFlow it opens no model
    assert done.metrics["accuracy"] == pytest.approx(2 / 3)
    assert json.loads((done.out / "report").read_text())["runtime"].startswith("tflite-runtime ")


def test_the_figure_and_the_runtime_are_said_to_the_run(do, mirror, unit, tmp_path):
    dataset = _dataset(tmp_path, unit, [CAT, DOG], [0, 2])
    said = {event["event"]: event for event in do("stages.edge.evaluate", {"dataset": dataset, **mirror}).said}
    assert (said["figure"]["labels"], said["figure"]["matrix"]) == (["cat", "dog", "owl"], [[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    assert said["note"]["text"].startswith("evaluated with LiteRT ")
