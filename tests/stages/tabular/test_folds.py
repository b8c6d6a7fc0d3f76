"""Folds: equal rows together, like shares of the truth, and never more folds than different rows."""

import numpy as np

from stages.tabular import _folds

ROWS = np.random.default_rng(0).integers(0, 256, (200, 4), dtype=np.uint8)
TRUTH = np.arange(200) % 20 == 0  # ten rare ones


def test_equal_rows_are_in_one_fold():
    twice = np.concatenate([ROWS, ROWS[::-1]])
    fold = _folds.folds(twice, np.concatenate([TRUTH, TRUTH[::-1]]), 8, 0)
    assert (fold[:200] == fold[200:][::-1]).all()


def test_each_fold_has_like_shares_of_all_rows_and_of_the_rare_ones():
    fold = _folds.folds(ROWS, TRUTH, 8, 0)
    assert set(np.bincount(fold)) == {25}
    assert np.bincount(fold[TRUTH], minlength=8).min() >= 1


def test_there_are_no_more_folds_than_different_rows():
    rows = ROWS[[0, 0, 1, 2]]
    assert sorted(set(_folds.folds(rows, np.zeros(4), 8, 0))) == [0, 1, 2]


def test_the_seed_decides():
    same = [_folds.folds(ROWS, TRUTH, 8, seed) for seed in (0, 0, 1)]
    assert (same[0] == same[1]).all() and (same[0] != same[2]).any()
