"""Figures of predicted numbers, worked out by hand."""

import numpy as np
import pytest

from stages.evaluation import regression

TRUTH = np.array([1.0, 2.0, 3.0, 4.0])


def test_deviation_square_and_explained_variance():
    found = regression.errors(TRUTH, np.array([1.0, 2.0, 3.0, 6.0]))
    assert (found["mad"], found["rmse"]) == (0.5, 1)
    assert found["r2"] == pytest.approx(1 - 4 / 5)
    assert found["mad_low"] <= 0.5 <= found["mad_high"]


def test_the_interval_narrows_with_more_examples():
    few, many = (regression.mad_interval(np.tile([0.0, 1.0], n)) for n in (10, 500))
    assert few[0] < many[0] < 0.5 < many[1] < few[1]


def test_equal_true_numbers_explain_no_variance():
    assert "r2" not in regression.errors(np.ones(3), np.zeros(3))
