"""The score of a model for tables, on logits whose figures were worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from engine.stage import StageError
from stages.tabular import _results
from stages.tabular.score import score
from stages.tflite import outputs
from stages.tflite.tensor import Tensor
from tests.stages.tabular import made

DIFFERENCE = {"outputs_differ": 0, "max_step_difference": 0, "reference_bit_equal": 1}
ABOUT = {
    "runtime": "LiteRT 9",
    "accelerator": "cpu",
    "measured_on": "device",
    "difference": DIFFERENCE,
}
IMPORTANCE = {
    "figure": "auroc",
    "rows": 48,
    "repeats": 10,
    "columns": [
        {"column": "a", "mean": 0.1, "low": 0.05, "high": 0.2},
        {"column": "colour", "mean": 0.3, "low": 0.2, "high": 0.4},
    ],
}


@pytest.fixture
def judged(tmp_path, said):
    """Judge logits made from the truth; return metrics, report and what the stage said."""

    def run(logits, floating=None, rivals=None, task="classify", **decision):
        root = made.write(tmp_path, task)
        truth = np.load(root / "test/truth_target.npy")
        forms = {
            "outputs": (logits(truth), "int8"),
            "reference/default": (logits(truth), "int8"),
            "reference/float": ((floating or logits)(truth), "float" if floating else "int8"),
        }
        for folder, (values, form) in forms.items():
            shape = (1, values.shape[1])
            model = SimpleNamespace(outputs={"l": Tensor("l", shape, "float32")})
            about = {**ABOUT, "model_sha256": form}
            outputs.write(root / folder, {"l": values.astype(np.float32)}, model, about)
        (root / "baselines").mkdir()
        for name, answers in (rivals or _rivals(task, truth)).items():
            np.save(root / f"baselines/{name}.npy", answers)
        forms_of = {"linear": "ridge", "boosting": "squared error"}
        (root / "baselines/baselines.json").write_text(json.dumps({"forms": forms_of}))
        what = {**IMPORTANCE, "figure": "auroc" if task == "classify" else "mad"}
        (root / "importance.json").write_text(json.dumps(what))
        made.decision(root, task=task, **decision)
        names = ("outputs", "reference", "decision.json", "baselines", "importance.json")
        inputs = [root / "test", root / "train", *(root / name for name in names)]
        metrics = score(*inputs, root / "report.json")
        report = json.loads((root / "report.json").read_text(encoding="utf-8"))
        return SimpleNamespace(metrics=metrics, report=report, said=said, truth=truth)

    return run


def _right(truth):
    return 5.0 * np.eye(2)[truth]


def _one_wrong(truth):
    found = _right(truth)
    found[0] = found[0][::-1]
    return found


def _rivals(task, truth):
    if task == "classify":
        half = np.full((len(truth), 2), 0.5)
        return {"majority": half, "linear": half, "boosting": np.eye(2)[truth]}
    flat = np.full(len(truth), np.median(truth))
    return {"median": flat, "linear": flat, "boosting": truth}


def test_classes_are_judged_beside_the_float_model_and_the_baselines(judged):
    found = judged(_one_wrong, _right).metrics
    rows = found["test_examples"]
    assert found["correct"] == rows - 1 and found["float_accuracy"] == 1
    assert found["accuracy_drop_beyond_one"] == 0 and found["accuracy_drop"] == pytest.approx(
        1 / rows
    )
    assert found["baseline_boosting"] == 1 and found["boosting_margin"] == pytest.approx(-1 / rows)
    assert found["chance_margin"] > 0.3


def test_a_better_baseline_is_named_in_a_note_and_in_the_card(judged):
    found = judged(_one_wrong)
    assert any(
        text.startswith("gradient boosting is better: accuracy 1 ") for text in found.said.notes
    )
    card = found.report["card"]["Baselines"]
    assert "**A baseline is better:** gradient boosting has a better accuracy" in card
    assert "| gradient boosting (squared error) | 1 | 1 |" in card


def test_the_card_says_if_no_baseline_is_better(judged):
    card = judged(_right).report["card"]
    assert card["Baselines"].startswith("On the same rows, no baseline is better than the model.")
    assert "48 test rows are few" in card["Figures"] and "95 % interval" in card["Figures"]
    assert "colour (0.3), a (0.1)" in card["Important columns"]


def test_a_model_without_knowledge_is_named(judged):
    found = judged(lambda truth: np.zeros((len(truth), 2)))
    assert found.metrics["chance_margin"] == 0
    assert any(
        "no better than always answering the most frequent class" in one for one in found.said.notes
    )


def test_the_figures_show_confusion_curves_importance_and_mistakes(judged):
    found = judged(_one_wrong, _right)
    said = found.said
    assert np.trace(said.figures("confusion_matrix")["confusion"]["matrix"]) == 47
    rarer = ["cold", "hot"][np.bincount(found.truth).argmin()]
    roc = said.figures("curves")[f"ROC of target = {rarer}"]
    names = [one["name"] for one in roc["series"]]
    assert [name.split(",")[0] for name in names] == [
        "int8",
        "float",
        "gradient boosting",
        "linear",
    ]
    assert f"precision and recall of target = {rarer}" in said.figures("curves")
    [bars] = said.figures("bars").values()
    assert [one["name"] for one in bars["bars"]] == ["colour", "a"]
    mistakes = said.figures("table")["worst mistakes"]
    assert len(mistakes["rows"]) == 1 and {"a", "colour"} <= {
        one["name"] for one in mistakes["columns"]
    }


def test_numbers_are_judged_by_their_median(judged):
    levels = (0.0, 0.75, 1.5)

    def logits(truth):
        return -np.abs(truth[:, None] - np.array(levels)) * 20

    found = judged(logits, task="regress", form="levels", levels=levels)
    assert found.metrics["mad"] < 0.3 and found.metrics["baseline_boosting"] == 0
    assert found.metrics["boosting_margin"] < 0 < found.metrics["baseline_margin"]
    assert 0 <= found.metrics["interval_coverage"] <= 1
    said = found.said
    assert "predicted target" in said.figures("curves") and "residuals" in said.figures("histogram")
    assert (
        "Mean absolute deviation on 50 test rows: 0.1693 (95 % interval"
        in found.report["card"]["Figures"]
    )


def test_the_answers_for_verify_are_those_of_the_task(judged):
    found = judged(_right)
    answers = found.report["answers"]
    assert len(answers) == 16 and answers[0]["file"] == "00.csv"
    assert answers[0]["rows"] == [{"value": ["cold", "hot"][found.truth[0]], "score": 0.9933}]


def test_outputs_for_another_number_of_rows_are_refused(judged):
    with pytest.raises(StageError, match="outputs for 47 rows, but 48 rows in the test part"):
        judged(lambda truth: _right(truth)[:-1])


def test_precision_falls_with_each_row_found_wrongly():
    found, right = _results.precision_recall(
        np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    )
    assert found.tolist() == [0.5, 0.5, 1, 1] and right == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_the_curves_are_about_the_rarer_class():
    assert _results.positive(["bad", "good"], np.array([1, 1, 0])) == 0
    assert _results.positive(["good", "bad"], np.array([0, 0, 1])) == 1
