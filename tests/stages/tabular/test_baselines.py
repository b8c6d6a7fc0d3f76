"""The baselines learn the same rows, and each has the form that is best on the validation rows."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from stages.tabular import _plain, _rivals
from stages.tabular.baselines import baselines
from tests.stages.tabular import made


def _run(root):
    metrics = baselines(root / "train", root / "test", root / "predictions")
    about = json.loads((root / "predictions/baselines.json").read_text())
    found = {one.stem: np.load(one) for one in (root / "predictions").glob("*.npy")}
    return metrics, about["forms"], found, np.load(root / "test/truth_target.npy")


def test_classes_have_probabilities_from_the_majority_to_boosting(tmp_path):
    metrics, forms, found, truth = _run(made.write(tmp_path))
    assert set(found) == {"majority", "linear", "boosting"} and set(forms) == {"linear", "boosting"}
    assert all(one.sum(1) == pytest.approx(1) for one in found.values())
    shares = np.bincount(np.load(tmp_path / "train/truth_target.npy")) / 156
    assert found["majority"][0] == pytest.approx(shares, abs=0.05)
    for name in ("linear", "boosting"):
        assert (found[name].argmax(1) == truth).mean() > 0.85
        assert metrics[f"val_{name}"] < 0.5


def test_numbers_have_answers_from_the_median_to_boosting(tmp_path):
    metrics, _, found, truth = _run(made.write(tmp_path, "regress"))
    assert set(found) == {"median", "linear", "boosting"}
    assert len(set(found["median"])) == 1
    simplest = np.abs(found["median"] - truth).mean()
    for name in ("linear", "boosting"):
        assert np.abs(found[name] - truth).mean() < simplest / 3
        assert metrics[f"val_{name}"] < simplest / 3


def test_the_same_seed_gives_the_same_answers(tmp_path):
    root = made.write(tmp_path)
    first = _run(root)[2]
    (root / "predictions").rename(root / "before")
    second = _run(root)[2]
    assert all((first[name] == second[name]).all() for name in first)


def test_answers_to_grades_are_also_tried_rounded_and_as_the_median_of_classes():
    grades = np.repeat([3.0, 5.0, 8.0], 20)
    rows = _plain.Plain(np.repeat([0.0, 1.0, 2.0], 20)[:, None], np.zeros(1, bool), grades)
    forms = _rivals.regressions(grades)["boosting"]
    assert {"absolute error", "absolute error, rounded", "median of classes"} <= set(forms)
    asked = _plain.Plain(np.array([[0.0], [0.6], [2.0]]), np.zeros(1, bool), np.zeros(3))
    for name in ("squared error, rounded", "median of classes"):
        assert set(forms[name](rows, 0)(asked)) <= {3.0, 5.0, 8.0}


def test_many_different_numbers_are_not_rounded():
    forms = _rivals.regressions(np.arange(100.0))
    assert not any("rounded" in name or "median" in name for one in forms.values() for name in one)


def test_missing_values_and_unknown_categories_are_answered():
    chance = np.random.default_rng(0)
    features = np.stack([chance.uniform(size=60), chance.integers(0, 3, 60)], 1)
    features[::7, 0] = features[::9, 1] = np.nan
    is_category, truth = np.array([False, True]), (np.arange(60) % 3 > 0).astype(np.int64)
    rows = _plain.Plain(features, is_category, truth)
    asked = _plain.Plain(np.array([[np.nan, 3.0], [9.0, np.nan]]), is_category, truth[:2])
    for forms in _rivals.classifiers(3).values():
        found = next(iter(forms.values()))(rows, 0)(asked)
        assert found.shape == (2, 3) and (found[:, 2] == 0).all()  # class 2 was never learnt


def test_boosting_of_many_classes_is_limited_with_a_note():
    [(name, _)] = _rivals.classifiers(500)["boosting"].items()
    assert name == "31 leaves, rate 0.1, 20 rounds"
    assert "20 instead of 100 rounds" in _rivals.shortened(500) and "500" in _rivals.shortened(500)
    assert len(_rivals.classifiers(100)["boosting"]) == 2 and not _rivals.shortened(100)


def test_progress_names_each_form_that_learns(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("stages.tabular.baselines.progress", lambda *one: steps.append(one))
    _run(made.write(tmp_path))
    assert [at for at, _, _ in steps] == list(range(7)) and {total for _, total, _ in steps} == {7}
    assert [name for _, _, name in steps if ":" not in name] == ["linear", "boosting"]


@pytest.mark.parametrize("scale", [2.0**83, 2.0**100])  # 1e25, 1e30
def test_enormous_numbers_are_learnt_as_well_as_usual_ones(scale):
    chance = np.random.default_rng(0)
    features = chance.uniform(size=(60, 2))
    is_category = np.zeros(2, bool)
    rows = _plain.Plain(features, is_category, features @ [1.0, 2.0])
    large = _plain.Plain(features, is_category, rows.truth * scale)
    for name in ("linear", "boosting"):
        usual, enormous = (_rivals.regressions(one.truth)[name] for one in (rows, large))
        for form in usual:
            expected = usual[form](rows, 0)(rows)
            assert enormous[form](large, 0)(rows) / scale == pytest.approx(
                expected, rel=1e-3, abs=1e-3
            )
