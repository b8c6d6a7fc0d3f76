"""HSE FaceRes in Keras: from weights to an embedding."""

import numpy as np
import pytest

from stages.faces import _mobilenet

CHANNELS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # MobileNet's


@pytest.fixture(scope="module")
def weights():
    """Random weights in the published shapes."""
    random = np.random.default_rng(0)

    def kernel(*shape):
        return random.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)

    found = {"conv1/convolution/merged_input": kernel(3, 3, 3, 32) / 100}
    found["conv1_bn/batchnorm_1/sub"] = np.full(32, 0.5, np.float32)
    before = 32
    for number, after in enumerate(CHANNELS, 1):
        found[f"conv_dw_{number}/depthwise_kernel"] = kernel(3, 3, before, 1)
        found[f"conv_dw_{number}_bn/batchnorm_1/mul"] = np.full(before, 20, np.float32)
        found[f"conv_dw_{number}_bn/batchnorm_1/sub"] = np.zeros(before, np.float32)
        found[f"conv_pw_{number}/convolution/merged_input"] = kernel(1, 1, before, after)
        found[f"conv_pw_{number}_bn/batchnorm_1/sub"] = np.zeros(after, np.float32)
        before = after
    return found


def test_a_face_becomes_an_embedding(weights):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    network = _mobilenet.build(weights)
    face = np.random.default_rng(1).uniform(0, 255, (1, 225, 225, 3)).astype(np.float32)
    embedding = np.asarray(network(face))
    assert embedding.shape == (1, 1024) and np.isfinite(embedding).all() and embedding.any()
    assert network.layers[1](face).shape == (1, 112, 112, 32)  # as with 224 pixels and padding


def test_the_mean_pixel_leaves_only_the_bias(weights):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    network = _mobilenet.build(weights)
    mean = np.broadcast_to(np.float32(_mobilenet.MEAN[::-1]), (1, 225, 225, 3))  # RGB
    np.testing.assert_allclose(np.asarray(network.layers[1](mean))[0, 5, 5], 0.5, atol=1e-3)


def test_the_weight_that_names_the_network_is_one_of_its_weights(weights):
    assert _mobilenet.NAME in weights
