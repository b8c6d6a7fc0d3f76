"""Figures of answers, worked out by hand."""

import numpy as np
import pytest

from stages.tabular import _measures
from stages.tasks.columns.decision import Judged

DIFFERENCE = {"outputs_differ": 0, "max_step_difference": 0, "reference_bit_equal": 1}
TRUTH = np.array([0, 0, 1, 1])


def _classes(*positive: float) -> _measures.Tested:
    scores = np.array(positive)
    return _measures.Tested.predicted(np.stack([1 - scores, scores], 1), TRUTH)


def _numbers(*values: float) -> _measures.Tested:
    return _measures.Tested.predicted(np.array(values), np.array([1.0, 2.0, 3.0, 10.0]))


MAJORITY, PERFECT = _classes(0.4, 0.4, 0.4, 0.4), _classes(0.1, 0.2, 0.8, 0.9)
RIVALS = {"majority": MAJORITY, "linear": _classes(0.1, 0.6, 0.4, 0.9), "boosting": PERFECT}
MEDIAN = {"median": _numbers(2.5, 2.5, 2.5, 2.5)}
AMOUNTS = {**MEDIAN, "linear": _numbers(1, 2, 3, 6), "boosting": _numbers(1, 2, 3, 9)}


def _of_classes(int8, **more):
    return _measures.of_classes({"int8": int8, "build": int8, **more}, RIVALS, 2, DIFFERENCE)


def test_classes_are_compared_with_each_baseline():
    found = _of_classes(_classes(0.1, 0.2, 0.3, 0.9))
    assert (found["accuracy"], found["auroc"]) == (0.75, 1)
    assert (found["baseline_majority"], found["baseline_boosting"]) == (0.5, 1)
    assert (found["baseline_margin"], found["boosting_margin"], found["skill"]) == (
        0.25,
        -0.25,
        0.5,
    )
    assert (found["baseline_linear_auroc"], found["baseline_boosting_auroc"]) == (0.75, 1)
    assert found["skill_low"] < 0.5 < found["skill_high"]
    assert "baseline_majority_auroc" not in found


def test_the_float_model_shows_what_int8_costs():
    found = _of_classes(_classes(0.1, 0.8, 0.3, 0.9), float=PERFECT)
    assert (found["float_auroc"], found["auroc_drop"]) == (1, 0.25)
    assert (found["float_accuracy"], found["accuracy_drop"]) == (1, 0.5)


def test_only_a_model_that_certainly_knows_something_has_a_margin_over_chance():
    assert _of_classes(MAJORITY)["chance_margin"] == 0
    assert _of_classes(PERFECT)["chance_margin"] == 0  # four rows prove nothing
    truth = np.tile(TRUTH, 10)
    many = _measures.Tested.predicted(np.tile(PERFECT.probabilities, (10, 1)), truth)
    rivals = dict.fromkeys(("majority", "linear", "boosting"), many)
    found = _measures.of_classes({"int8": many, "build": many}, rivals, 2, DIFFERENCE)
    assert found["chance_margin"] == 0.5


def test_without_a_second_class_there_is_no_area():
    truth = np.zeros(3, np.int64)
    one = _measures.Tested.predicted(np.tile([0.9, 0.1], (3, 1)), truth)
    rivals = {"majority": one, "linear": one, "boosting": one}
    found = _measures.of_classes({"int8": one, "build": one}, rivals, 2, DIFFERENCE)
    assert "auroc" not in found and found["chance_margin"] == 0 and found["skill"] == 0


def test_numbers_are_compared_with_each_baseline():
    int8 = _numbers(1, 2, 3, 8)
    found = _measures.of_numbers({"int8": int8, "build": int8}, AMOUNTS, DIFFERENCE)
    assert (found["mad"], found["rmse"]) == (0.5, 1)
    assert (found["baseline_median"], found["baseline_linear"], found["baseline_boosting"]) == (
        2.5,
        1,
        0.25,
    )
    assert (found["boosting_margin"], found["baseline_margin"]) == (-0.25, 2)
    assert found["skill"] == pytest.approx(0.8) and "skill_drop" not in found
    assert found["skill_low"] < 0.8 < found["skill_high"]


def test_the_share_of_numbers_between_low_and_high_is_measured():
    truth = np.array([1.0, 2.0])
    judged = Judged(truth, None, np.array([0.0, 2.5]), np.array([1.0, 3.0]))
    int8 = _measures.Tested(truth, judged)
    flat = _measures.Tested.predicted(np.zeros(2), truth)
    rivals = dict.fromkeys(("median", "linear", "boosting"), flat)
    found = _measures.of_numbers({"int8": int8, "build": int8}, rivals, DIFFERENCE)
    assert found["interval_coverage"] == 0.5


def test_a_loss_by_int8_counts_only_if_it_is_more_than_chance():
    few, many = np.array([1.0, 0, 0, 0, 0]), np.ones(40)
    by_chance = _measures._skill_drop(few, np.zeros(5), 2.0)
    assert (by_chance["skill_drop"], by_chance["skill_drop_beyond_chance"]) == (0.1, 0)
    certain = _measures._skill_drop(many, np.zeros(40), 2.0)
    assert certain["skill_drop_beyond_chance"] == 0.5
    gained = _measures._skill_drop(np.zeros(40), many, 2.0)
    assert gained["skill_drop_beyond_chance"] == -0.5
