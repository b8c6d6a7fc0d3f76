"""Rebuilds HSE FaceRes in Keras, from the weights that the npm package human-models publishes.

A MobileNet that was trained to tell the people of VGGFace2 apart, and then to estimate age and gender too;
these outputs are left out. Source: Savchenko, "Efficient facial representations for age, gender and identity
recognition in organizing photo albums using multi-output ConvNet", PeerJ Computer Science, 2019.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from stages.tasks.face_input import FaceInput

if TYPE_CHECKING:
    from stages.faces._weights import Weights

# The published network has 224 pixels and pads the first convolution by one, at the right and the bottom. A
# picture with one pixel more needs no padding, so that the mean pixel can be folded into the convolution.
# The scale was chosen among 0.6 to 1 by the error rates on the Yale faces and on LFW, not by ORL's.
INPUT = FaceInput(225, 225, scale=0.8)
THRESHOLD = 0.67  # cosine that names less than 1 % of strangers, on ORL's validation part
MEAN = (103.939, 116.779, 123.68)  # BGR, of the pictures that it was trained on
DOWN = (2, 4, 6, 12)  # blocks that halve the sides
BLOCKS = 13
NAMES = {"conv_pw_13/convolution/merged_input"}  # weights that no other network has


def build(weights: "Weights") -> Any:
    """Return the network, float32 (1, 225, 225, 3) of 0 to 255 -> (1, 1024); KeyError: other weights."""
    import keras

    inputs = keras.Input((INPUT.height, INPUT.width, 3), name="picture")
    return keras.Model(inputs, embedding(inputs, weights))


def embedding(inputs: Any, weights: "Weights") -> Any:
    """Return the embedding (batch, 1024) of faces (batch, side, side, 3) of any side."""
    from keras import layers

    kernel = weights["conv1/convolution/merged_input"]
    shift = (kernel * np.array(MEAN, np.float32)[:, None]).sum((0, 1, 2))
    bias = weights["conv1_bn/batchnorm_1/sub"] - shift
    first = layers.Conv2D(kernel.shape[-1], 3, 2, "valid")
    x = layers.ReLU(6)(first(inputs))
    first.set_weights([kernel[:, :, ::-1], bias])  # the published network reads BGR
    for number in range(1, BLOCKS + 1):
        x = _block(x, weights, number)
    return layers.GlobalAveragePooling2D()(x)


def _block(x: Any, weights: "Weights", number: int) -> Any:
    """Add a depthwise and a pointwise convolution, each with its batch normalisation folded."""
    from keras import layers

    depthwise, scale = f"conv_dw_{number}", weights[f"conv_dw_{number}_bn/batchnorm_1/mul"]
    layer = layers.DepthwiseConv2D(3, 2 if number in DOWN else 1, "same")
    x = layers.ReLU(6)(layer(x))
    kernel = weights[f"{depthwise}/depthwise_kernel"] * scale[:, None]
    layer.set_weights([kernel, weights[f"{depthwise}_bn/batchnorm_1/sub"]])
    kernel = weights[f"conv_pw_{number}/convolution/merged_input"]
    layer = layers.Conv2D(kernel.shape[-1], 1)
    x = layers.ReLU(6)(layer(x))
    layer.set_weights([kernel, weights[f"conv_pw_{number}_bn/batchnorm_1/sub"]])
    return x
