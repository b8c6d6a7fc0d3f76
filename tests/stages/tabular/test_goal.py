"""What is learnt: shares of classes or levels, whose decision gives the target back."""

import numpy as np
import pytest

from stages.tabular import _goal


def _logits(goal):
    return np.log(np.maximum(goal.targets, 1e-9))


def test_classes_are_learnt_as_they_are():
    goal = _goal.of_classes("y", np.array([1, 0, 2]), 3)
    assert goal.targets.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert goal.decision.judge(_logits(goal)).values.tolist() == [1, 0, 2]
    assert goal.chosen_by == "val_loss"


def test_each_of_few_values_is_a_level():
    truth = np.array([5.0, 6.0, 5.0, 8.0])
    goal = _goal.of_numbers("y", truth)
    assert goal.decision.levels == (5, 6, 8) and not goal.decision.between
    assert goal.decision.judge(_logits(goal)).values.tolist() == truth.tolist()


def test_one_of_many_values_is_a_share_of_the_levels_beside_it():
    truth = np.random.default_rng(0).lognormal(size=500)
    goal = _goal.of_numbers("y", truth)
    assert goal.decision.between and len(goal.decision.levels) == _goal.BETWEEN
    assert goal.targets.sum(1) == pytest.approx(1) and (goal.targets > 0).sum(1).max() == 2
    assert goal.targets @ np.array(goal.decision.levels) == pytest.approx(truth, rel=1e-4)


def test_the_median_of_a_number_between_levels_is_near_it():
    truth = np.linspace(0, 100, 400)
    goal = _goal.of_numbers("y", truth)
    found = goal.decision.judge(_logits(goal)).values
    assert np.abs(found - truth).max() < 100 / _goal.BETWEEN


def test_a_frequent_value_is_one_level():
    goal = _goal.of_numbers("y", np.concatenate([np.zeros(500), np.arange(50.0)]))
    levels = goal.decision.levels
    assert levels.count(0.0) == 1 and len(levels) < _goal.BETWEEN


def test_validation_figures_are_of_the_given_rows():
    goal = _goal.of_classes("y", np.array([1, 0, 1]), 2)
    found = goal.figures(np.array([[0.0, 9.0], [0.0, 9.0]]), np.array([0, 1]))
    assert found["val_accuracy"] == 0.5 and found["val_loss"] == pytest.approx(4.5, abs=0.01)
    numbers = _goal.of_numbers("y", np.array([1.0, 3.0, 3.0]))
    assert numbers.figures(np.array([[9.0, 0.0]]), np.array([1])) == {"val_mad": 2.0}


def test_only_a_number_with_many_values_and_rows_is_learnt_from_whole_rows():
    many = _goal.of_numbers("y", np.arange(_goal.MOST_VALUES + 1.0))
    few = _goal.of_numbers("y", np.arange(float(_goal.MOST_VALUES)))
    classes = _goal.of_classes("y", np.array([1, 0, 2]), 3)
    assert [one.input_dropout(1000) for one in (many, few, classes)] == [0, 0.1, 0.1]
    assert many.input_dropout(999) == 0.1
