"""Simulated int8: it predicts what the converted model answers, and training through it helps."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs"),  # float ends
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
]
SIDE, MEASURED = 8, 128
# Of the channels of one tensor: the range of the first leaves no levels to the others (Nagel et al., 2019).
GAIN = np.array([1.0] + [1e-3] * 7, np.float32)


def _pictures(seed):
    """Return pictures (n, 8, 8, 3), and the class of each: which half is lighter."""
    pictures = np.random.default_rng(seed).normal(size=(1024, SIDE, SIDE, 3)).astype(np.float32)
    pictures[::2, :, :4] += 0.25
    pictures[1::2, :, 4:] += 0.25
    return pictures, np.arange(1024) % 2


@pytest.fixture(scope="module")
def data():
    return _pictures(0)


@pytest.fixture(scope="module")
def unseen():
    return _pictures(1)


@pytest.fixture
def network(data):
    """A trained network that computes well in float32 only."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="normalised")(x))
    x = layers.DepthwiseConv2D((8, 4), name="halves")(x)
    x = layers.ReLU()(layers.Conv2D(8, 1)(x))
    x = layers.GlobalAveragePooling2D()(x)
    built = keras.Model(inputs, layers.Softmax()(layers.Dense(2)(x)))
    _train(built, data, 3e-3, 12)
    gamma, beta, *statistics = built.get_layer("normalised").get_weights()
    built.get_layer("normalised").set_weights([gamma * GAIN, beta * GAIN, *statistics])
    kernel, bias = built.get_layer("halves").get_weights()
    built.get_layer("halves").set_weights([kernel / GAIN[:, None], bias])
    built.get_layer("normalised").trainable = False
    return built


def _train(network, data, rate, epochs):
    import keras

    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(*data, epochs=epochs, verbose=0, batch_size=32)


def _accuracy(answers, data):
    return float((answers.argmax(1) == data[1]).mean())


def _converted(network, shown, pictures):
    """Return the answers (n, 2) of the int8 model that TensorFlow's converter makes of the network."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in shown[:MEASURED])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    run = tf.lite.Interpreter(model_content=converter.convert())
    run.allocate_tensors()
    source, target = run.get_input_details()[0]["index"], run.get_output_details()[0]["index"]
    answers = []
    for one in pictures:
        run.set_tensor(source, one[None])
        run.invoke()
        answers.append(run.get_tensor(target)[0])
    return np.array(answers)


def test_training_through_the_simulation_helps_the_real_int8_model_more_than_training_alone(
    network, data, unseen
):
    from stages.training import fake_quantisation

    weights = network.get_weights()
    plain = _accuracy(network.predict(unseen[0], verbose=0), unseen)
    twin = fake_quantisation.simulated(network, data[0][:MEASURED])
    simulated = _accuracy(twin.predict(unseen[0], verbose=0), unseen)
    real = _accuracy(_converted(network, data[0], unseen[0]), unseen)
    _train(network, data, 1e-3, 8)
    alone = _accuracy(_converted(network, data[0], unseen[0]), unseen)
    network.set_weights(weights)
    _train(twin, data, 1e-3, 8)
    aware = _accuracy(_converted(network, data[0], unseen[0]), unseen)
    assert plain - real > 0.02
    assert abs(simulated - real) < 0.01
    assert aware > max(real, alone) + 0.005


def test_without_wide_ranges_the_simulation_changes_almost_nothing(network, data):
    from stages.training import fake_quantisation

    gamma, beta, *statistics = network.get_layer("normalised").get_weights()
    network.get_layer("normalised").set_weights([gamma / GAIN, beta / GAIN, *statistics])
    kernel, bias = network.get_layer("halves").get_weights()
    network.get_layer("halves").set_weights([kernel * GAIN[:, None], bias])
    twin = fake_quantisation.simulated(network, data[0][:MEASURED])
    difference = twin.predict(data[0], verbose=0) - network.predict(data[0], verbose=0)
    assert 0 < np.abs(difference).mean() < 0.01


def test_the_network_inside_a_network_is_simulated_with_the_same_weights(data):
    from stages.training import fake_quantisation
    from stages.vision import _network

    network, _ = _network.build("small", 0.25, 32, 3, 0.0, None)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32)
    twin = fake_quantisation.simulated(network, pictures)
    assert [id(one) for one in twin.trainable_variables] == [
        id(one) for one in network.trainable_variables
    ]


def test_rounding_only_the_kernels_gives_the_answers_of_a_network_with_rounded_kernels(
    network, unseen
):
    from stages.training import fake_quantisation

    twin = fake_quantisation.with_rounded_kernels(network)
    answers = twin.predict(unseen[0], verbose=0)
    plain = network.predict(unseen[0], verbose=0)
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(_on_the_grid(layer))
    np.testing.assert_allclose(answers, network.predict(unseen[0], verbose=0), atol=1e-5)
    assert np.abs(answers - plain).max() > 1e-3


def _on_the_grid(layer):
    """Return the kernel rounded to 255 levels, per output channel; per tensor if it is dense."""
    kernel = layer.kernel.numpy()
    depthwise, dense = type(layer).__name__ == "DepthwiseConv2D", kernel.ndim == 2
    axes = None if dense else (0, 1, 3) if depthwise else (0, 1, 2)
    scale = np.abs(kernel).max(axes, keepdims=True) / 127
    return np.round(kernel / scale) * scale
