"""Regenerates the small reference models of the smoke test: int8, one for each kind of arithmetic in real
models.

    python containers/smoke/make.py

Weights are seeded noise, because only the computation matters. Another version of TensorFlow may write
different bytes; that is fine, because the smoke test compares platforms with one another.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write <name>.tflite for each network."""
    import keras
    import numpy as np
    import tensorflow as tf

    for name, network in {
        "convolutions": _convolutions,
        "dense": _dense,
        "residual": _residual,
    }.items():
        keras.utils.set_random_seed(7)
        model = network(keras)
        for layer in model.layers:  # different scales per channel, as after training
            layer.set_weights(
                [
                    w * np.geomspace(0.25, 4, w.shape[-1]).astype(w.dtype)
                    for w in layer.get_weights()
                ]
            )
        chance = np.random.default_rng(7)
        examples = chance.normal(size=(64, 1, *model.input_shape[1:])).astype(np.float32)
        (HERE / f"{name}.tflite").write_bytes(
            _int8(tf, model, examples, tf.uint8 if name == "dense" else tf.int8)
        )


def _convolutions(keras: Any) -> Any:
    """Return a network with convolution, depthwise convolution and pooling, as in a MobileNet."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
            layers.Conv2D(16, 1),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, padding="valid", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def _dense(keras: Any) -> Any:
    """Return a network that classifies a vector: dense layers, tanh, logistic."""
    layers = keras.layers
    hidden = [
        layers.Dense(32, activation="tanh"),
        layers.Dense(32, activation="sigmoid"),
        layers.Dense(6, activation="softmax"),
    ]
    return keras.Sequential([keras.Input((64,)), *hidden])


def _residual(keras: Any) -> Any:
    """Return a network with sums, products, means, concatenation, resizing and padding, as in detectors and
    pose models.
    """
    layers = keras.layers
    inputs = keras.Input((16, 16, 4))
    left = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    right = layers.Conv2D(8, 1)(layers.ZeroPadding2D(1)(inputs))
    right = layers.Cropping2D(1)(right)
    both = layers.Add()([left, right])
    small = layers.MaxPooling2D(2)(both)
    large = layers.UpSampling2D(2, interpolation="bilinear")(small)
    mixed = layers.Concatenate()([layers.Multiply()([both, large]), both])
    pooled = layers.GlobalAveragePooling2D()(
        layers.SeparableConv2D(12, 3, activation="relu")(mixed)
    )
    return keras.Model(inputs, layers.Dense(5)(pooled))


def _int8(tf: Any, model: Any, examples: Any, kind: Any) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _calibration(examples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = kind
    return bytes(converter.convert())


def _calibration(examples: Any) -> Callable[[], Any]:
    return lambda: ([example] for example in examples)


if __name__ == "__main__":
    main()
