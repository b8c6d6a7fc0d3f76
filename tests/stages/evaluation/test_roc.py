"""The receiver operating characteristic, on scores whose curve can be drawn by hand."""

import numpy as np
import pytest

from stages.evaluation import roc

SCORES, POSITIVE = np.float32([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False])


def test_the_curve_goes_from_none_to_all():
    wrong, right = roc.curve(SCORES, POSITIVE)
    assert (wrong.tolist(), right.tolist()) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])


def test_equal_scores_are_one_step_of_the_curve():
    wrong, right = roc.curve(np.float32([0.5, 0.5]), np.array([True, False]))
    assert (wrong.tolist(), right.tolist()) == ([0, 1], [0, 1])


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    assert roc.area(*roc.curve(SCORES, POSITIVE)) == pytest.approx(3 / 4)


def test_the_interval_of_the_area_contains_it_and_narrows_with_more_examples():
    few = roc.area_interval(np.tile(SCORES, 5), np.tile(POSITIVE, 5))
    many = roc.area_interval(np.tile(SCORES, 100), np.tile(POSITIVE, 100))
    assert few[0] < many[0] < 3 / 4 < many[1] < few[1]


def test_equal_scores_count_half_in_the_interval():
    low, high = roc.area_interval(np.full(40, 0.5, np.float32), np.arange(40) < 20)
    assert (low, high) == (0.5, 0.5)


def test_the_area_of_several_classes_is_the_mean_of_each_against_the_others():
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])
    truth = np.array([0, 1, 0, 2])
    assert roc.macro_area(scores, truth) == 1
    worse = scores.copy()
    worse[2] = [0.1, 0.8, 0.1]  # class 0: 3 of 4 pairs with ties; class 1: 2 of 3; class 2: all
    assert roc.macro_area(worse, truth) == pytest.approx((2.5 / 4 + 2 / 3 + 1) / 3)
    low, high = roc.macro_interval(worse, truth)
    assert low < roc.macro_area(worse, truth) <= high


def test_the_area_of_two_classes_is_the_usual_one():
    scores = np.stack([1 - SCORES, SCORES], 1)
    assert roc.macro_area(scores, POSITIVE.astype(int)) == pytest.approx(3 / 4)
    assert roc.macro_interval(scores, POSITIVE.astype(int)) == roc.area_interval(SCORES, POSITIVE)


def test_one_class_alone_has_no_area():
    assert roc.macro_area(np.ones((3, 2)), np.zeros(3, int)) is None
