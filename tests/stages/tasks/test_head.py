"""The last layer on embeddings."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks import head
from stages.tasks.head import Head

LAYER = Head(np.float32([[2, 0], [0, 2], [1, 1]]), np.float32([0, 0, -0.5]))


def test_probabilities_are_those_of_the_direction_whatever_its_length():
    near, far = LAYER.probabilities(np.float32([[[[3, 4]]], [[[0.3, 0.4]]]]))
    assert near == pytest.approx(far) and near.sum() == pytest.approx(1)
    logits = np.array([2 * 0.6, 2 * 0.8, 0.6 + 0.8 - 0.5])
    assert near == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=1e-6)


def test_an_embedding_of_zeros_gets_the_biases_alone():
    (found,) = LAYER.probabilities(np.zeros((1, 2), np.float32))
    assert found[0] == found[1] > found[2]


def test_it_is_read_as_it_was_written(tmp_path):
    LAYER.write(tmp_path)
    found = head.read(tmp_path)
    assert found.weights.tobytes() == LAYER.weights.tobytes()
    assert found.bias.tobytes() == LAYER.bias.tobytes()


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    Head(LAYER.weights, LAYER.bias[:2]).write(tmp_path)
    with pytest.raises(StageError, match=r"weights \[3, 2\] and biases \[2\]"):
        head.read(tmp_path)
