"""Both models against the truth.

The network here returns what it is given, so that the test examples are its scores.
"""

import importlib.util
import json
import platform
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge.evaluate import evaluate
from stages.edge.reference import reference

CAT, DOG, OWL = np.eye(3, dtype=np.float32)


@pytest.fixture
def evaluated(mirror, unit, tmp_path):
    """Evaluate scores against the truth; return the metrics and the report."""

    def made(scores, truth, clips=None, *, change=None, **params):
        dataset = _dataset(tmp_path, unit, scores, truth, clips)
        if change:
            reference(dataset, mirror["int8_model"], tmp_path / "outputs")
            change(tmp_path / "outputs")
            params["reference"] = tmp_path / "outputs"
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


@pytest.mark.parametrize(
    "windows",
    [
        [[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 1, 0]],  # most windows say cat, their mean says dog
        [
            [0, 0.5, 0.9],
            [0, 0.5, 0],
            [0, 0.5, 0],
        ],  # the highest score of all is owl's, the mean is dog's
    ],
    ids=["most", "highest"],
)
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
    metrics, report = evaluated(
        [[0.5, 0.5005, 0], DOG], [1, 1]
    )  # in int8 both are one number, and the first wins
    assert (metrics["accuracy"], metrics["float_accuracy"], metrics["accuracy_drop"]) == (
        0.5,
        1.0,
        0.5,
    )
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
    done = do(
        "stages.edge.evaluate", {"dataset": dataset, **mirror}, runtime="tflite_runtime"
    )  # beside TensorFlow it opens no model
    assert done.metrics["accuracy"] == pytest.approx(2 / 3)
    assert json.loads((done.out / "report").read_text())["runtime"].startswith("tflite-runtime ")


def test_the_figure_and_the_runtime_are_said_to_the_run(do, mirror, unit, tmp_path):
    dataset = _dataset(tmp_path, unit, [CAT, DOG], [0, 2])
    said = {
        event["event"]: event
        for event in do("stages.edge.evaluate", {"dataset": dataset, **mirror}).said
    }
    assert (said["figure"]["labels"], said["figure"]["matrix"]) == (
        ["cat", "dog", "owl"],
        [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
    )
    assert said["note"]["text"].startswith("evaluated with LiteRT ")


# --- against the build machine


def _unchanged(folder: Path) -> None:
    """This machine is the target, too."""


def _other(name: str, example: int, steps: int):
    """Another machine, of which the outputs differ in one example."""

    def change(folder: Path) -> None:
        outputs = np.load(folder / f"{name}.npy")
        outputs[example, 1] += steps
        np.save(folder / f"{name}.npy", outputs)

    return change


def test_without_a_reference_nothing_is_compared(evaluated):
    metrics, report = evaluated([CAT], [0])
    assert "accuracy_build" not in metrics and "difference" not in report


def test_the_same_machine_gives_the_same_outputs(evaluated):
    metrics, report = evaluated([CAT, DOG, OWL], [0, 1, 1], change=_unchanged)
    compared = {
        "accuracy_build": pytest.approx(2 / 3),
        "accuracy_delta": 0,
        "outputs_differ": 0,
        "max_step_difference": 0,
        "reference_bit_equal": 1,
    }
    assert {name: metrics[name] for name in compared} == report["difference"] == compared


def test_the_difference_is_counted_in_examples_and_quantisation_steps(evaluated):
    metrics, _ = evaluated([CAT, DOG, OWL], [0, 1, 2], change=_other("default", 2, 3))
    assert (
        metrics["outputs_differ"],
        metrics["max_step_difference"],
        metrics["accuracy_delta"],
        metrics["reference_bit_equal"],
    ) == (
        1,
        3,
        0,
        1,
    )


def test_the_accuracys_difference_is_the_targets_minus_the_build_machines(evaluated):
    metrics, _ = evaluated(
        [CAT, [0.5, 0.45, 0]], [0, 0], change=_other("default", 1, 30)
    )  # there, the second is taken for a dog
    assert (metrics["accuracy"], metrics["accuracy_build"], metrics["accuracy_delta"]) == (
        1,
        0.5,
        0.5,
    )


def test_the_reference_kernels_show_that_something_did_not_arrive_whole(evaluated, monkeypatch):
    said = []
    monkeypatch.setattr("stages.edge.evaluate.note", said.append)
    metrics, _ = evaluated([CAT, DOG], [0, 1], change=_other("reference", 0, 1))
    assert metrics["reference_bit_equal"] == 0
    assert said[-1].endswith(
        "all 2 outputs are the same; with the reference kernels they differ too, so file or arithmetic "
        "did not arrive whole"
    )


def test_the_run_is_told_how_far_the_target_is_from_the_build_machine(evaluated, monkeypatch):
    said = []
    monkeypatch.setattr("stages.edge.evaluate.note", said.append)
    evaluated([CAT, DOG], [0, 1], change=_other("default", 0, 1))
    assert said[-1].startswith(f"accuracy 1.0000, +0.0000 to {platform.machine()} with LiteRT ")
    assert said[-1].endswith(
        "1 of 2 outputs differ, by up to 1 quantisation step; with the reference kernels 2 examples "
        "agree to the bit"
    )


def test_a_reference_of_another_model_is_refused(evaluated):
    def other_model(folder: Path) -> None:
        about = json.loads((folder / "reference.json").read_text())
        (folder / "reference.json").write_text(json.dumps({**about, "model_sha256": "0" * 64}))

    with pytest.raises(StageError, match="the reference is of another model or test part"):
        evaluated([CAT, DOG], [0, 1], change=other_model)


def test_a_target_without_its_edge_tpu_is_evaluated_on_the_cpu_and_says_so(evaluated, monkeypatch):
    said = []
    monkeypatch.setattr("stages.edge._runtime.note", said.append)
    _, report = evaluated([CAT], [0], accelerator="edgetpu")
    assert report["accelerator"] == "cpu"
    assert "looked for USB 1a6e:089a or 18d1:9302, PCIe 1ac1:089a" in said[0] and said[0].endswith(
        "the int8 model runs on the CPU instead"
    )


def test_the_report_says_where_its_figures_were_taken(evaluated):
    assert evaluated([CAT], [0])[1]["taken"] == platform.machine()
