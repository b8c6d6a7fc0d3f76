"""HSE FaceRes in Keras: from weights to an embedding."""

import numpy as np
import pytest

from stages.faces import _mobilenet
from tests.stages.faces import published

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")


@pytest.fixture(scope="module")
def network():
    return _mobilenet.build(published.mobilenet())


def test_a_face_becomes_an_embedding(network):
    face = np.random.default_rng(1).uniform(0, 255, (1, 225, 225, 3)).astype(np.float32)
    embedding = np.asarray(network(face))
    assert embedding.shape == (1, 1024) and np.isfinite(embedding).all() and embedding.any()
    assert network.layers[1](face).shape == (1, 112, 112, 32)  # as with 224 pixels and padding


def test_the_mean_pixel_leaves_only_the_bias(network):
    mean = np.broadcast_to(np.float32(_mobilenet.MEAN[::-1]), (1, 225, 225, 3))  # RGB
    np.testing.assert_allclose(np.asarray(network.layers[1](mean))[0, 5, 5], 0.5, atol=1e-3)
