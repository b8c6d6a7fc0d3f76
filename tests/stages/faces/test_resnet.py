"""dlib's network in Keras: from weights to an embedding."""

import numpy as np
import pytest

from stages.faces import _resnet, _weights
from tests.stages.faces import published


def test_a_face_becomes_an_embedding(tmp_path):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    network = _resnet.build(_weights.read(published.resnet(tmp_path)))
    face = np.random.default_rng(1).uniform(0, 255, (1, 150, 150, 3)).astype(np.float32)
    embedding = np.asarray(network(face))
    assert embedding.shape == (1, 128) and np.isfinite(embedding).all() and embedding.any()
    mean = np.broadcast_to(np.float32(_resnet.MEAN), (1, 150, 150, 3))
    first = network.layers[1]
    np.testing.assert_allclose(np.asarray(first(mean))[0, 0, 0], 0.01, atol=1e-3)  # only the bias
