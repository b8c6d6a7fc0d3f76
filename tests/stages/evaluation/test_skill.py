"""The interval of the share of errors that a model avoids."""

import numpy as np
import pytest

from stages.evaluation import bootstrap, skill


def test_the_interval_contains_the_skill_and_narrows_with_more_examples():
    few = np.tile([0.0, 1.0, 2.0, 1.0], 5), np.tile([2.0, 3.0, 1.0, 4.0], 5)
    many = tuple(np.tile(one, 50) for one in few)
    found = 1 - few[0].mean() / few[1].mean()
    (low, high), (nearer_low, nearer_high) = (skill.interval(*one) for one in (few, many))
    assert low < nearer_low < found < nearer_high < high


def test_right_and_wrong_answers_have_an_interval():
    wrong, simplest = np.tile([True, False, False, False], 10), np.tile([True, False], 20)
    low, high = skill.share_interval(wrong, simplest)
    assert low < 0.5 < high < 1


def test_answers_that_are_all_right_prove_as_much_as_their_number_allows():
    simplest = np.tile([True, False], 20)
    accuracy_low, _ = bootstrap.share_interval(np.ones(40), range(40))
    low, high = skill.share_interval(np.zeros(40, bool), simplest)
    assert (low, high) == (pytest.approx(1 - (1 - accuracy_low) / 0.5), 1)


def test_there_is_no_skill_if_the_simplest_answer_is_never_wrong():
    right = np.zeros(4, bool)
    assert skill.share_interval(right, right) == (0, 0)
