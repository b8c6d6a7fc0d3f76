"""The best pairs of rows and columns, compared with all permutations and with scipy."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.tasks.assignment import assigned

SIZES = st.tuples(st.integers(0, 5), st.integers(0, 5))


def _total(weights, pairs):
    return sum(weights[row, column] for row, column in pairs)


def _best_total(weights):
    """Return the largest sum over all ways to pair the shorter side."""
    if weights.shape[0] > weights.shape[1]:
        weights = weights.T
    rows = range(weights.shape[0])
    return max(
        weights[rows, list(order)].sum() for order in permutations(range(weights.shape[1]), len(rows))
    )  # fmt: skip


@given(arrays(np.float64, SIZES, elements=st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9])))
def test_no_other_pairs_have_a_larger_sum(weights):
    pairs = assigned(weights)
    assert _total(weights, pairs) == pytest.approx(_best_total(weights))


@given(arrays(np.float64, SIZES, elements=st.floats(0, 1)))
def test_each_row_and_column_is_in_one_pair_and_none_is_forbidden(weights):
    pairs = assigned(weights)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(weights[pair] > 0 for pair in pairs)


@pytest.mark.parametrize("shape", [(30, 30), (30, 12), (7, 40)])
def test_many_rows_are_paired_as_scipy_does(shape):
    optimize = pytest.importorskip("scipy.optimize")
    weights = np.random.default_rng(0).uniform(0.01, 1, shape)
    best = weights[optimize.linear_sum_assignment(weights, maximize=True)].sum()
    assert _total(weights, assigned(weights)) == pytest.approx(best)


def test_the_nearest_pair_is_given_up_for_a_better_whole():
    assert assigned(np.array([[0.9, 0.8], [0.8, 0.0]])) == [(0, 1), (1, 0)]
