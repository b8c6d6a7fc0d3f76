"""Backbones from published files: the convolutions of a `.tflite` compute what they computed there."""

import importlib.util

import numpy as np
import pytest

from engine.stage import StageError

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
SIDE = 32


@pytest.fixture(scope="module")
def body():
    """A backbone whose batch normalisation does something."""
    network = _backbone(0.25)
    chance = np.random.default_rng(1)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            size = layer.gamma.shape[0]
            layer.set_weights(
                [
                    chance.uniform(0.5, 2, size),
                    chance.uniform(0, 0.5, size),
                    chance.uniform(-0.2, 0.2, size),
                    chance.uniform(0.5, 2, size),
                ]
            )
    return network


@pytest.fixture(scope="module")
def file(body, tmp_path_factory):
    """The same network as a float `.tflite`, its normalisation folded into the kernels."""
    import tensorflow as tf

    to = tmp_path_factory.mktemp("weights") / "backbone.tflite"
    to.write_bytes(tf.lite.TFLiteConverter.from_keras_model(body).convert())
    return to


def _backbone(alpha):
    import keras

    return keras.applications.MobileNet(
        input_shape=(SIDE, SIDE, 3), alpha=alpha, include_top=False, weights=None
    )


def test_a_backbone_from_tflite_computes_what_the_file_computed(body, file):
    from stages.vision import _weights

    ready = _backbone(0.25)
    _weights.load(ready, file, "this")
    pictures = np.random.default_rng(0).uniform(-1, 1, (4, SIDE, SIDE, 3)).astype(np.float32)
    wanted = body.predict(pictures, verbose=0)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(ready.predict(pictures, verbose=0), wanted, atol=1e-3)


def test_all_channels_get_kernels_of_the_same_spread(file):
    from stages.vision import _weights

    ready = _backbone(0.25)
    _weights.load(ready, file, "this")
    kernel = np.asarray(ready.get_layer("conv_pw_3").kernel)  # (1, 1, in, out)
    spread = np.sqrt(np.square(kernel).mean((0, 1, 2)))
    np.testing.assert_allclose(spread, np.sqrt(2 / kernel.shape[2]), rtol=1e-3)


def test_a_backbone_of_another_width_is_refused_by_its_kernel(file):
    from stages.vision import _weights

    with pytest.raises(StageError, match=r"the layer conv1 needs a kernel \(3, 3, 3, 16\), .* 8\)"):
        _weights.load(_backbone(0.5), file, "mobilenet_v1 with alpha 0.5")


def test_a_file_with_too_few_convolutions_is_refused(tmp_path):
    import keras
    import tensorflow as tf

    from stages.vision import _weights

    inputs = keras.Input((SIDE, SIDE, 3))
    first = keras.layers.Conv2D(8, 3, 2, padding="same")(inputs)
    path = tmp_path / "short.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, first)).convert())
    with pytest.raises(StageError, match="the file has no convolution for the layer conv_dw_1"):
        _weights.load(_backbone(0.25), path, "mobilenet_v1 with alpha 0.25")
