"""Functions and sums that have the same bits on every processor."""

import hashlib
import math

import numpy as np
import pytest

from stages.estimators import arithmetic

X = np.random.default_rng(0).normal(0, 20, 4000)
SMALL = np.array([0.0, -0.0, 1e-300, -1e-9, 1e-12, 700.0, -700.0, 1e9, -1e9])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (arithmetic.exp, math.exp),
        (arithmetic.tanh, math.tanh),
        (arithmetic.logistic, lambda x: 1 / (1 + math.exp(-x))),
    ],
)
def test_a_function_is_right_to_the_last_digits(function, expected):
    x = np.concatenate([X, SMALL[:7]])
    assert function(x) == pytest.approx([expected(one) for one in x], rel=1e-14, abs=3e-16)


def test_beyond_the_range_of_float64_there_are_limits():
    assert arithmetic.exp(np.array([-1e9]))[0] == 0
    assert np.isfinite(arithmetic.exp(np.array([1e9]))).all()
    assert arithmetic.tanh(SMALL[-2:]).tolist() == [1, -1]
    assert arithmetic.logistic(SMALL[-2:]) == pytest.approx([1, 0], abs=1e-300)
    assert np.isnan(arithmetic.exp(np.array([math.nan]))[0])


def test_a_sum_does_not_depend_on_the_number_of_rows():
    rows = np.random.default_rng(1).normal(size=(50, 37))
    weights = np.random.default_rng(2).normal(size=(37, 1))
    alone = np.concatenate([arithmetic.weighted(row[None], weights) for row in rows])
    assert alone.tobytes() == arithmetic.weighted(rows, weights).tobytes()


def test_a_sum_is_added_from_first_to_last():
    terms = np.array([1e16, 1.0, -1e16, 1.0]).reshape(1, 4, 1)
    assert arithmetic.ordered_sum(terms).tolist() == [[1.0]]
    assert arithmetic.ordered_sum(np.zeros((2, 0, 3))).tolist() == [[0.0] * 3] * 2


def test_the_bits_are_those_of_every_other_machine():
    """Recorded on x86-64; only additions, multiplications and divisions of float64 lead to them."""
    weights = np.random.default_rng(3).normal(size=(40, 3))
    rows = np.random.default_rng(4).normal(size=(100, 40))
    found = arithmetic.tanh(arithmetic.weighted(rows, weights))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "dd4f78951f727178"
