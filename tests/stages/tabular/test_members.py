"""The ensemble: it becomes one network that gives the mean of its members' logits."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow  # imports TensorFlow
SIZE, OUTPUTS = 7, 3


@pytest.fixture(scope="module")
def members():
    from stages.tabular._members import Members, Shape

    shape = Shape(size=SIZE, members=5, hidden=6, second=4, outputs=OUTPUTS)
    return Members(shape, 2.0, np.array([0.2, 0.3, 0.5]), 0)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).integers(0, 256, (20, SIZE), dtype=np.uint8)


def _mean(members, rows):
    shown = (rows / np.float32(255)).astype(np.float32)
    return members.logits(members.best, shown).numpy().mean(0)


def test_one_network_gives_the_mean_of_the_members_logits(members, rows):
    found = members.network()(rows.astype(np.float32)).numpy()
    assert np.abs(found - _mean(members, rows)).max() < 1e-4


def test_the_first_answer_is_the_share_of_each_output(members, rows):
    from stages.tasks.head import softmax

    assert softmax(_mean(members, rows)).mean(0) == pytest.approx([0.2, 0.3, 0.5], abs=0.15)


def test_low_logits_are_raised_to_the_floor_and_all_are_relative_to_it(members, rows):
    logits = _mean(members, rows)
    floor = float(np.median(logits))
    found = members.network(floor)(rows.astype(np.float32)).numpy()
    assert np.abs(found - (np.maximum(logits, floor) - floor)).max() < 1e-4


def test_the_floor_keeps_all_that_is_not_improbable(members, rows):
    assert members.floor(rows) < _mean(members, rows).max(1).min() - 4
