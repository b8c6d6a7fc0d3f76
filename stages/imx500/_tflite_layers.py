"""One function for each TFLite operator that the camera's compiler can run: its Keras layers, or None if
these options cannot be expressed.

Semantics: the operators' reference kernels in TensorFlow, `tensorflow/lite/kernels/internal/reference`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.tflite.schema import ABSENT, Operator, Subgraph

Constants = dict[int, NDArray[np.float32]]
Values = Mapping[int, Any]
Make = Callable[[Operator, Subgraph, Values, Constants], Any]

PADDINGS = ("same", "valid")
NONE, RELU, RELU6, TANH = 0, 1, 3, 4  # of the schema's ActivationFunctionType
SIX = 5.9, 6.1  # a quantised range that ends here was trained with ReLU6
LEAST = {"INT8": -128, "UINT8": 0}
RANGE = 255


@dataclass(frozen=True)
class Scaled:
    """A tensor times a factor plus an offset for all channels or for each; not a layer yet."""

    x: Any
    factor: float | NDArray[np.float32] = 1.0
    offset: float | NDArray[np.float32] = 0.0


def materialised(value: Any) -> Any:
    """Return the Keras tensor: a scaled one by a 1x1 depthwise convolution.

    The compiler has no Rescaling layer, and scaling kernels of a padded convolution instead would
    change its border.
    """
    from keras import layers

    if not isinstance(value, Scaled):
        return value
    channels = value.x.shape[-1]
    factor = np.broadcast_to(np.float32(value.factor), (channels,))
    offset = np.broadcast_to(np.float32(value.offset), (channels,))
    if np.all(factor == 1) and np.all(offset == 0):
        return value.x
    return _weighted(layers.DepthwiseConv2D(1), value.x, factor.reshape(1, 1, -1, 1), offset)


def _convolution(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    kernel, bias = _weights(op, constants, 1)  # (outputs, h, w, inputs)
    x = materialised(values[op.inputs[0]])
    groups = x.shape[-1] // kernel.shape[3]
    kernel = np.moveaxis(kernel, 0, -1)
    layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], groups=groups, **_window(op))
    return _activated(op, graph, _weighted(layer, x, kernel, bias))


def _depthwise(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    kernel, bias = _weights(op, constants, 1)  # (1, h, w, channels * multiplier)
    x = materialised(values[op.inputs[0]])
    kernel = kernel.reshape(*kernel.shape[1:3], x.shape[-1], -1)
    layer = layers.DepthwiseConv2D(
        kernel.shape[:2], depth_multiplier=kernel.shape[3], **_window(op)
    )
    return _activated(op, graph, _weighted(layer, x, kernel, bias))


def _transposed(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """Inputs: the shape of the result, the kernel, and the tensor."""
    from keras import layers

    kernel, bias = _weights(op, constants, 1, 3)  # (outputs, h, w, inputs)
    x = materialised(values[op.inputs[2]])
    kernel = kernel.transpose(1, 2, 0, 3)
    layer = layers.Conv2DTranspose(kernel.shape[2], kernel.shape[:2], **_window(op))
    result = _weighted(layer, x, kernel, bias)
    is_same = tuple(result.shape[1:]) == graph.tensors[op.outputs[0]].shape[1:]
    return _activated(op, graph, result) if is_same else None


def _dense(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    if op.options["weights_format"]:
        return None
    kernel, bias = _weights(op, constants, 1)  # (outputs, inputs)
    x = materialised(values[op.inputs[0]])
    if len(x.shape) > 2 and not op.options["keep_num_dims"]:
        x = layers.Flatten()(x)
    return _activated(op, graph, _weighted(layers.Dense(len(kernel)), x, kernel.T, bias))


def _sum(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """ADD and SUB of two tensors of one shape, or of a tensor and a constant for each channel."""
    from keras import layers

    first, second = op.inputs
    sign = -1 if op.type == "SUB" else 1
    if first not in constants and second not in constants:
        pair = [materialised(values[place]) for place in op.inputs]
        if pair[0].shape != pair[1].shape:
            return None
        layer = layers.Add() if sign == 1 else layers.Subtract()
        return _activated(op, graph, layer(pair))
    if first in constants:
        return _moved(op, graph, values[second], sign, constants[first])
    return _moved(op, graph, values[first], 1, sign * constants[second])


def _product(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """MUL of a tensor and a constant for each channel."""
    varying = [place for place in op.inputs if place not in constants]
    if len(varying) != 1:
        return None
    (factor,) = (constants[place] for place in op.inputs if place in constants)
    return _moved(op, graph, values[varying[0]], factor, 0)


def _moved(op: Operator, graph: Subgraph, value: Any, factor: Any, offset: Any) -> Any:
    """Return value * factor + offset, joined with an earlier scaling; None: not one for each channel."""
    known = value if isinstance(value, Scaled) else Scaled(value)
    if not all(_is_by_channel(one, known.x.shape[-1]) for one in (factor, offset)):
        return None
    factor, offset = np.ravel(np.float32(factor)), np.ravel(np.float32(offset))
    found = Scaled(known.x, known.factor * factor, known.offset * factor + offset)
    is_linear = op.options["fused_activation"] == NONE
    return found if is_linear else _activated(op, graph, materialised(found))


def _is_by_channel(constant: Any, channels: int) -> bool:
    """Return whether a constant is one number, or one for each channel in its last dimension."""
    size = np.size(constant)
    return size == 1 or size == channels == np.shape(constant)[-1]


def _joined(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    if any(place in constants for place in op.inputs):
        return None
    parts = [materialised(values[place]) for place in op.inputs]
    return _activated(op, graph, layers.Concatenate(op.options["axis"])(parts))


def _pool(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    kind = layers.MaxPooling2D if op.type == "MAX_POOL_2D" else layers.AveragePooling2D
    size = op.options["filter_height"], op.options["filter_width"]
    layer = kind(size, (op.options["stride_h"], op.options["stride_w"]), _padding(op))
    return _activated(op, graph, layer(materialised(values[op.inputs[0]])))


def _mean(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """The mean over height and width."""
    from keras import layers

    axes = graph.tensors[op.inputs[1]].integers()
    x = materialised(values[op.inputs[0]])
    if sorted(axis % len(x.shape) for axis in axes) != [1, 2] or len(x.shape) != 4:
        return None
    return layers.GlobalAveragePooling2D(keepdims=bool(op.options["keep_dims"]))(x)


def _pad(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """Zeros around the picture, and channels of zeros by a 1x1 convolution."""
    from keras import layers

    x = materialised(values[op.inputs[0]])
    sides = graph.tensors[op.inputs[1]].integers()
    if len(sides) != 8 or any(sides[:2]) or sides[6]:
        return None
    if any(sides[2:6]):
        x = layers.ZeroPadding2D((sides[2:4], sides[4:6]))(x)
    if sides[7]:
        channels = x.shape[-1]
        kernel = np.eye(channels, channels + sides[7], dtype=np.float32)[None, None]
        bias = np.zeros(channels + sides[7], np.float32)
        x = _weighted(layers.Conv2D(channels + sides[7], 1), x, kernel, bias)
    return x


def _resized(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    """A larger picture by a whole factor, in the sampling of tf.image.resize."""
    from keras import layers

    x = materialised(values[op.inputs[0]])
    height, width = graph.tensors[op.outputs[0]].shape[1:3]
    is_bilinear = op.type == "RESIZE_BILINEAR"
    if op.options["align_corners"] or (is_bilinear and not op.options["half_pixel_centers"]):
        return None
    if height % x.shape[1] or width % x.shape[2]:
        return None
    factors = height // x.shape[1], width // x.shape[2]
    return layers.UpSampling2D(factors, interpolation="bilinear" if is_bilinear else "nearest")(x)


def _reshaped(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
    from keras import layers

    before, after = (graph.tensors[place].shape for place in (op.inputs[0], op.outputs[0]))
    if not after or after[0] != before[0]:
        return None
    return layers.Reshape(after[1:])(materialised(values[op.inputs[0]]))


def _activation(name: str) -> Make:
    def make(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
        from keras import layers

        return layers.Activation(name)(materialised(values[op.inputs[0]]))

    return make


def _relu(most: float | None) -> Make:
    def make(op: Operator, graph: Subgraph, values: Values, constants: Constants) -> Any:
        from keras import layers

        return layers.ReLU(most)(materialised(values[op.inputs[0]]))

    return make


def _weights(
    op: Operator, constants: Constants, kernel: int, bias: int = 2
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernel and the bias of an operator, which may lack it."""
    found = constants[op.inputs[kernel]]
    if len(op.inputs) > bias and op.inputs[bias] != ABSENT:
        return found, constants[op.inputs[bias]]
    axis = -1 if op.type == "DEPTHWISE_CONV_2D" else 0
    return found, np.zeros(found.shape[axis], np.float32)


def _weighted(layer: Any, x: Any, *weights: NDArray[np.float32]) -> Any:
    result = layer(x)
    layer.set_weights(list(weights))
    return result


def _window(op: Operator) -> dict[str, Any]:
    options = op.options
    return {
        "strides": (options["stride_h"], options["stride_w"]),
        "padding": _padding(op),
        "dilation_rate": (options.get("dilation_h", 1), options.get("dilation_w", 1)),
    }


def _padding(op: Operator) -> str:
    return PADDINGS[op.options["padding"]]


def _activated(op: Operator, graph: Subgraph, x: Any) -> Any:
    """Return x with the operator's own activation; None: it is unknown."""
    from keras import layers

    fused = op.options["fused_activation"] or _implied(op, graph)
    if fused == NONE:
        return x
    if fused == TANH:
        return layers.Activation("tanh")(x)
    most = {RELU: None, RELU6: 6.0}
    return layers.ReLU(most[fused])(x) if fused in most else None


def _implied(op: Operator, graph: Subgraph) -> int:
    """Return the activation that a quantised result implies: its range begins at 0, or ends at 6.

    Models that were trained with fake quantisation, such as the COCO SSD, have no fused ReLU6: the
    rounding to uint8 limits the values.
    """
    result = graph.tensors[op.outputs[0]]
    if result.type not in LEAST or len(result.scales) != 1:
        return NONE
    if result.zero_points[0] != LEAST[result.type]:
        return NONE
    return RELU6 if SIX[0] < RANGE * result.scales[0] < SIX[1] else RELU


LAYERS: dict[str, Make] = {
    "ADD": _sum,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _joined,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "LOGISTIC": _activation("sigmoid"),
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MUL": _product,
    "PAD": _pad,
    "RELU": _relu(None),
    "RELU6": _relu(6.0),
    "RESHAPE": _reshaped,
    "RESIZE_BILINEAR": _resized,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "SOFTMAX": _activation("softmax"),
    "SQUEEZE": _reshaped,
    "SUB": _sum,
    "TANH": _activation("tanh"),
    "TRANSPOSE_CONV": _transposed,
}
