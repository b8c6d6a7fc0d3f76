"""A published network, rebuilt in Keras: the same outputs up to where the camera's operators end."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite.model import open_model
from tests.stages.imx500 import published

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
MODELS = MIRROR / "models"


@pytest.fixture(scope="module")
def network():
    return published.convolutions()


@pytest.fixture(scope="module")
def float_file(network, tmp_path_factory):
    return published.written(network, tmp_path_factory.mktemp("published") / "float.tflite")


@pytest.fixture(scope="module")
def with_decoder(tmp_path_factory):
    return published.ending_in_a_decoder(tmp_path_factory.mktemp("published") / "decoder.tflite")


def _outputs(rebuilt, pictures):
    found = rebuilt.model.predict_on_batch(pictures.astype(np.float32))
    listed = found if isinstance(found, list) else [found]
    return dict(zip(rebuilt.outputs, listed, strict=True))


def _by_shape(outputs):
    """Return a network's outputs by the shape of each, which the order of the file does not change."""
    return {values.shape: values for values in outputs}


def test_it_computes_what_a_float_file_computes(float_file):
    from stages.imx500._from_tflite import rebuilt, undecoded

    found, model, pictures = rebuilt(float_file), open_model(float_file), published.pictures()
    outputs = _outputs(found, pictures)
    assert set(outputs) == set(model.outputs)
    assert found.left == () and undecoded(found) is None
    for at, picture in enumerate(pictures):
        expected = model.predict({next(iter(model.inputs)): picture[None].astype(np.float32)})
        for name, values in expected.items():
            np.testing.assert_allclose(outputs[name][at], values[0], rtol=1e-4, atol=1e-4)


def test_an_int8_file_gives_the_outputs_of_the_float_network_it_was_made_from(network, tmp_path):
    from stages.imx500._from_tflite import rebuilt

    path = published.written(network, tmp_path / "int8.tflite", quantised=True)
    pictures = published.pictures()
    expected = _by_shape(network.predict_on_batch(pictures.astype(np.float32)))
    found = _by_shape(_outputs(rebuilt(path), pictures).values())
    assert found.keys() == expected.keys()
    for shape, values in expected.items():
        assert np.abs(found[shape] - values).max() < 0.05  # of probabilities


def test_a_network_ends_at_the_first_operators_that_the_camera_lacks(with_decoder):
    from stages.imx500._from_tflite import rebuilt

    found, model, pictures = rebuilt(with_decoder), open_model(with_decoder), published.pictures()
    assert {"ARG_MAX", "GATHER"} <= set(found.left)
    heat, moves = (
        next(one for one in _outputs(found, pictures).values() if one[0].size == size)
        for size in (256, 512)
    )
    for at, picture in enumerate(pictures):
        (expected,) = model.predict({next(iter(model.inputs)): picture[None]}).values()
        best = heat[at].ravel().argmax()
        np.testing.assert_allclose(moves[at].reshape(-1, 2)[best], expected[0], rtol=1e-4)


def test_outputs_that_no_task_decodes_are_named(with_decoder):
    from stages.imx500._from_tflite import rebuilt, undecoded

    found = rebuilt(with_decoder)
    assert not found.is_whole
    why = undecoded(found)
    assert why and "ARG_MAX" in why and why.endswith(", ".join(found.outputs))


def test_the_scaling_of_pixels_is_one_layer_that_the_compiler_has(with_decoder):
    from keras import layers

    from stages.imx500._from_tflite import rebuilt

    found = rebuilt(with_decoder)
    first = found.model.layers[1]
    assert isinstance(first, layers.DepthwiseConv2D)
    kernel, bias = first.get_weights()
    np.testing.assert_allclose(kernel.ravel(), 1 / 64)
    np.testing.assert_allclose(bias, -np.array([100, 110, 120]) / 64 - 0.5, rtol=1e-5)


def test_a_float_input_gets_the_scaling_of_its_data_set(network, float_file):
    from stages.imx500._from_tflite import rebuilt

    pictures = published.pictures()
    scaled = rebuilt(float_file, {"mean": 127.5, "deviation": 127.5})
    expected = network.predict_on_batch((pictures.astype(np.float32) - 127.5) / 127.5)
    found = _by_shape(_outputs(scaled, pictures).values())
    for shape, values in _by_shape(expected).items():
        np.testing.assert_allclose(found[shape], values, rtol=1e-3, atol=1e-3)


def test_an_input_that_is_no_picture_is_named(tmp_path):
    from keras import Sequential, layers

    from stages.imx500._from_tflite import rebuilt

    path = published.written(
        Sequential([layers.Input((7,)), layers.Dense(2)]), tmp_path / "a.tflite"
    )
    with pytest.raises(StageError, match=r"a\.tflite cannot run in the camera.*\[1, 7\]"):
        rebuilt(path)


def test_a_network_that_begins_with_a_foreign_operator_is_refused(tmp_path):
    from keras import Sequential, layers, ops

    from stages.imx500._from_tflite import rebuilt

    picture = layers.Input((published.SIDE, published.SIDE, 3))
    model = Sequential([picture, layers.Lambda(lambda x: ops.cos(x))])
    path = published.written(model, tmp_path / "cos.tflite")
    with pytest.raises(StageError, match=r"cos\.tflite cannot be rebuilt.*operator COS"):
        rebuilt(path)


@pytest.mark.mirror
@pytest.mark.skipif(not MODELS.is_dir(), reason="RPI_MLOPS_MIRROR names no folder with models")
def test_blazeface_is_rebuilt_with_its_padded_channels():
    from stages.imx500._from_tflite import rebuilt

    path = MODELS / "blazeface_short_range_128_float.tflite"
    found, model = rebuilt(path, {"mean": 127.5, "deviation": 127.5}), open_model(path)
    picture = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3)).astype(np.float32)
    expected = model.predict({next(iter(model.inputs)): (picture - 127.5) / 127.5})
    outputs = found.model.predict_on_batch(picture)
    for name, values in zip(found.outputs, outputs, strict=True):
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-3)


@pytest.mark.mirror
@pytest.mark.skipif(not MODELS.is_dir(), reason="RPI_MLOPS_MIRROR names no folder with models")
def test_movenet_ends_in_its_heads():
    from stages.imx500._from_tflite import rebuilt, undecoded
    from stages.tasks.keypoints import heads

    found = rebuilt(MODELS / "movenet_single_pose_lightning_ptq.tflite")
    assert undecoded(found) is None
    assert found.model.input_shape == (None, 192, 192, 3)
    shapes = [one.shape[1:] for one in found.model.outputs]
    assert dict(zip(found.outputs, shapes, strict=True)) == {
        name: (48, 48, channels) for name, channels in heads.CHANNELS.items()
    }
