"""Sparse vectors beside the dense ones from which they are made."""

import numpy as np
import pytest

from stages.text._sparse import sparse

DENSE = np.uint8([[0, 5, 0, 1], [0, 0, 0, 0], [2, 0, 3, 0]])


def _dense(batch):
    found = np.zeros(batch.shape, np.float32)
    found[tuple(batch.indices.T)] = batch.values
    return found


def test_a_batch_has_the_chosen_vectors_in_order():
    rows = np.array([2, 0, 1, 2])
    assert np.array_equal(_dense(sparse(DENSE, 0.5).batch(rows)), DENSE[rows] * 0.5)


def test_many_vectors_are_read_in_chunks(monkeypatch):
    monkeypatch.setattr("stages.text._sparse.CHUNK", 2)
    found = sparse(DENSE, 1)
    assert len(found) == 3
    assert np.array_equal(_dense(found.batch(np.arange(3))), DENSE)


def test_dropped_entries_leave_the_expected_sum():
    many = sparse(np.ones((1, 10_000), np.uint8), 1)
    batch = many.batch(np.array([0]), np.random.default_rng(0), lost=0.75)
    assert len(batch.values) == pytest.approx(2500, rel=0.1)
    assert set(batch.values.tolist()) == {4}


def test_without_chance_nothing_is_dropped():
    assert np.array_equal(_dense(sparse(DENSE, 1).batch(np.arange(3), None, 0.5)), DENSE)


def test_joined_vectors_follow_one_another():
    joined = sparse(DENSE, 1).joined(sparse(DENSE[:2], 2))
    expected = np.concatenate([DENSE, DENSE[:2] * 2])
    assert np.array_equal(_dense(joined.batch(np.arange(5))), expected)


def test_some_of_the_vectors_can_be_chosen():
    chosen = sparse(DENSE, 1).at(np.array([2, 0]))
    assert np.array_equal(_dense(chosen.batch(np.arange(2))), DENSE[[2, 0]])
