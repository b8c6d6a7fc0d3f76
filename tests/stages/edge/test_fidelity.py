"""An exported model is evaluated by how close its int8 outputs are to the float ones."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge import fidelity as module
from stages.edge.fidelity import fidelity
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor

ABOUT = {"runtime": "LiteRT 9", "accelerator": "cpu", "measured_on": "device"}


@pytest.fixture
def judged(tmp_path):
    """Compare outputs of the target with the float ones; return metrics and report."""

    def run(here, floating, name="scores", of="1"):
        part.write(tmp_path / "test", {"x": np.zeros((len(here), 1), np.float32)})
        part.raw_folder(tmp_path / "test")
        part.write_items(tmp_path / "test", {"00.npy": (0, 0)})
        for folder, values, called, sha256 in (
            ("outputs", here, name, "0"),
            ("reference/float", floating, "scores", of),
        ):
            model = SimpleNamespace(outputs={called: Tensor(called, (1, 2), "float32")})
            raw = {called: np.array(values, np.float32)}
            outputs.write(tmp_path / folder, raw, model, {**ABOUT, "model_sha256": sha256})
        folders = (tmp_path / "test", tmp_path / "outputs", tmp_path / "reference")
        metrics = fidelity(*folders, tmp_path / "report")
        return metrics, json.loads((tmp_path / "report").read_text())

    return run


def test_what_is_left_of_the_float_model(judged):
    metrics, _ = judged([[0, 1], [0.5, 0.25]], [[0, 1], [0.25, 0.5]])
    low, high = (metrics.pop(name) for name in ("r2_low", "r2_high"))
    assert low <= metrics["r2"] <= high
    assert metrics == {
        "r2": pytest.approx(0.2),  # 1 - 2 * 0.25**2 / (2 * 0.125**2 + 2 * 0.25**2)
        "same_highest": 0.5,
        "mean_difference": pytest.approx(0.125),
        "max_difference": pytest.approx(0.25),
        "test_examples": 2,
    }


@pytest.mark.parametrize(
    ("int8", "floating", "r2"),
    [
        ([[0, 1], [1, 0]], [[1, 0], [0, 1]], -3),  # the opposite
        ([[0.5, 0.5], [0.5, 0.5]], [[0, 1], [1, 0]], 0),  # always the mean
        ([[2, 3], [2, 3]], [[2, 3], [2, 3]], 1),  # constant, and kept
        ([[0, 0.5]], [[0, 1]], 0.5),  # a single example
    ],
)
def test_the_variance_that_is_left(judged, int8, floating, r2):
    assert judged(int8, floating)[0]["r2"] == pytest.approx(r2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("form", ["int8", "float"])
def test_outputs_that_are_not_finite_are_refused(judged, value, form):
    rows = [[[value, 1]], [[0, 1]]]
    with pytest.raises(
        StageError, match=f"the {form} model's output 'scores' contains NaN or infinity"
    ):
        judged(*(rows if form == "int8" else rows[::-1]))


def test_outputs_of_other_names_are_compared_by_their_place(judged):
    assert judged([[0, 1]], [[0, 1]], name="int8")[0]["same_highest"] == 1


def test_the_answers_are_those_of_the_task(judged):
    (answer,) = judged([[0, 1]], [[0, 1]])[1]["answers"]
    (row,) = answer["rows"]
    assert (answer["file"], row["output"], row["highest"]) == ("00.npy", "scores", 1)


def test_it_counts_as_measured_where_the_model_ran(judged, monkeypatch):
    said = []
    monkeypatch.setattr(module, "measured_on", said.append)
    assert judged([[0, 1]], [[0, 1]])[1]["measured_on"] == "device" and said == ["device"]


@pytest.mark.parametrize(("sha256", "with_what"), [("0", "itself"), ("1", "the float model")])
def test_the_card_says_what_it_was_compared_with(judged, sha256, with_what):
    card = judged([[0, 1]], [[0, 1]], of=sha256)[1]["card"]
    assert card["Figures"].startswith(f"Compared with {with_what}")
    assert "Its accuracy was not measured" in card["Limits"]


def test_the_interval_of_r2_is_narrow_where_all_examples_differ_alike(judged):
    values = np.random.default_rng(0).normal(size=(60, 2))
    noise = 0.1 * np.random.default_rng(1).normal(size=(60, 2))
    alike, _ = judged(values + noise, values)
    assert 0 < alike["r2_high"] - alike["r2_low"] < 0.01
