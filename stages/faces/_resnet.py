"""Rebuilds dlib's ResNet for faces in Keras, from the weights that the npm package face-api publishes.

Architecture: dlib, examples/dnn_face_recognition_ex.cpp (Davis King, 2017): a ResNet-34 with 29 convolutions
and half as many channels. Each convolution is followed by a scale per channel, which is folded into it here,
and so are the mean pixel and the division by 255. Every operator has an int8 form for accelerators.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from stages.tasks.face_input import FaceInput

if TYPE_CHECKING:
    from stages.faces._weights import Weights

INPUT = FaceInput(150, 150)
THRESHOLD = 0.945  # cosine that names less than 1 % of strangers, on ORL's validation part
LAST_DENSE = "fc"
NAMES = {LAST_DENSE}  # weights that no other network has
MEAN = (122.782, 117.001, 104.298)  # RGB, of the pictures that it was trained on
STAGES = (
    ("32", 3),
    ("64", 4),
    ("128", 3),
    ("256", 3),
)  # channels, and residual blocks of this width
LAST = "256_down_out"


def build(weights: "Weights") -> Any:
    """Return the network, float32 (1, 150, 150, 3) of 0 to 255 -> (1, 128); KeyError: other weights."""
    import keras

    inputs = keras.Input((INPUT.height, INPUT.width, 3), name="picture")
    return keras.Model(inputs, embedding(inputs, weights))


def embedding(inputs: Any, weights: "Weights", factor: float = 1.0) -> Any:
    """Return `factor` times the embedding (batch, 128) of faces (batch, 150, 150, 3)."""
    from keras import layers

    x = layers.ReLU()(_convolution(inputs, weights, "conv32_down", 2, "valid"))
    x = layers.MaxPooling2D(3, 2)(x)
    for channels, blocks in STAGES:
        for block in range(1, blocks + 1) if channels == "32" else range(blocks):
            x = _block(x, weights, f"conv{channels}_{block or 'down'}", is_down=block == 0)
    x = _block(x, weights, f"conv{LAST}", is_down=True)
    x = layers.GlobalAveragePooling2D()(x)
    last = layers.Dense(weights[LAST_DENSE].shape[1], use_bias=False)
    outputs = last(x)
    last.set_weights([weights[LAST_DENSE] * factor])
    return outputs


def _block(x: Any, weights: "Weights", name: str, *, is_down: bool) -> Any:
    """Add a residual block; one that goes down halves the sides, and may widen the channels."""
    from keras import layers

    stride, padding = (2, "valid") if is_down else (1, "same")
    y = layers.ReLU()(_convolution(x, weights, f"{name}/conv1", stride, padding))
    y = _convolution(y, weights, f"{name}/conv2", 1, "same")
    if is_down:
        x = _widened(layers.AveragePooling2D(2)(x), y.shape[-1])
        missing = x.shape[1] - y.shape[1]
        if missing:
            y = layers.ZeroPadding2D(((0, missing), (0, missing)))(y)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolution(x: Any, weights: "Weights", name: str, stride: int, padding: str) -> Any:
    from keras import layers

    scale = weights[f"{name}/scale/weights"]
    kernel = weights[f"{name}/conv/filters"] * scale
    bias = weights[f"{name}/conv/bias"] * scale + weights[f"{name}/scale/biases"]
    if name == "conv32_down":  # unpadded, so that the mean pixel can be folded into it
        kernel = kernel / 255
        bias = bias - (kernel * np.array(MEAN, np.float32)[:, None]).sum((0, 1, 2))
    layer = layers.Conv2D(kernel.shape[-1], kernel.shape[0], stride, padding)
    y = layer(x)
    layer.set_weights([kernel, bias])
    return y


def _widened(x: Any, channels: int) -> Any:
    """Append channels of zeros with a 1 x 1 convolution, which every runtime and accelerator has."""
    from keras import layers

    if x.shape[-1] == channels:
        return x
    layer = layers.Conv2D(channels, 1, use_bias=False)
    y = layer(x)
    layer.set_weights([np.eye(x.shape[-1], channels, dtype=np.float32)[None, None]])
    return y
