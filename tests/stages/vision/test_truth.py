"""The figures of a classifier, on examples that were worked out by hand."""

import numpy as np
import pytest

from stages.vision import _truth

SCORES = np.float32([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
TRUTH = np.array([0, 1, 1, 0])


def test_the_log_loss_is_the_mean_of_the_true_classes():
    expected = -np.log([0.9, 0.2, 0.7, 0.45]).mean()
    assert _truth.log_loss(SCORES, TRUTH) == pytest.approx(expected, abs=1e-6)


def test_the_log_loss_of_a_certain_mistake_is_finite():
    assert 20 < _truth.log_loss(np.float32([[1, 0]]), np.array([1])) < 30


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    assert len(_truth.reliability(SCORES, TRUTH)) == 4
    gaps = (0.1, 0.8, 0.3, 0.55)
    assert _truth.calibration_error(SCORES, TRUTH) == pytest.approx(sum(gaps) / 4, abs=1e-6)


def test_top_k_counts_the_pictures_whose_class_is_among_the_first():
    scores = np.float32([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    assert _truth.top_k(scores, np.array([0, 2, 1, 0])).tolist() == [0.25, 0.75, 1]
