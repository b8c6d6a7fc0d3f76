"""Loads the weights of a published `.tflite` file into a Keras network with the same convolutions."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tflite.schema import Operator, Subgraph

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
TYPES = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "FLOAT16": np.float16,
    "FLOAT32": np.float32,
    "INT32": np.int32,
}


def is_tflite(path: Path) -> bool:
    """Return whether the file says that it is a TFLite model."""
    from stages.tflite.schema import IDENTIFIER

    with path.open("rb") as file:
        return file.read(8)[4:] == IDENTIFIER


def load(network_layers: Iterable[Any], path: Path) -> None:
    """Copy the file's first convolutions, dequantised, into the convolutions among these layers, in order.

    In the file, each batch normalisation is folded into its convolution, and the scales of the
    channels differ by a factor of up to a hundred, but an optimizer takes equal steps for all of
    them. So the kernels are scaled to the spread of newly initialised ones, and the batch
    normalisation reverses the scaling. A convolution with a bias gets kernel and bias unchanged.

    ValueError: the file has other convolutions.
    """
    from keras import layers

    from stages.tflite.schema import read_model

    graph = read_model(path).subgraphs[0]
    found = iter([one for one in graph.operators if one.type in CONVOLUTIONS])
    scale = bias = np.zeros(0, np.float32)
    for layer in network_layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            kernel, bias = _folded(graph, found, layer)
            if layer.use_bias:
                layer.set_weights([kernel, bias])
                continue
            scale = _spread(kernel, isinstance(layer, layers.DepthwiseConv2D))
            layer.set_weights([kernel / _by_channel(scale, kernel)])
        elif isinstance(layer, layers.BatchNormalization):
            rest = np.full_like(bias, 1 - layer.epsilon)
            layer.set_weights([scale, bias, np.zeros_like(bias), rest])


def constant(graph: "Subgraph", place: int) -> "NDArray[np.float32]":
    """Return the values of a constant tensor, dequantised; ValueError: it is none of 8 to 32 bits."""
    tensor = graph.tensors[place]
    if tensor.type not in TYPES or not tensor.is_constant:
        raise ValueError(f"the tensor {tensor.name} is not a constant of 8 to 32 bits")
    values = np.frombuffer(tensor.data, TYPES[tensor.type]).reshape(tensor.shape)
    if not tensor.scales:
        return values.astype(np.float32)
    shape = [1] * len(tensor.shape)
    if tensor.is_per_channel:
        shape[tensor.axis] = -1
    zero = np.array(tensor.zero_points or (0,), np.float32).reshape(shape)
    return (values - zero) * np.array(tensor.scales, np.float32).reshape(shape)


def _folded(
    graph: "Subgraph", found: "Iterator[Operator]", layer: Any
) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """Return the next kernel in Keras' order of axes, and the bias; ValueError: they do not fit the layer."""
    from keras import layers

    convolution = next(found, None)
    if convolution is None:
        raise ValueError(f"the file has no convolution for the layer {layer.name}")
    kernel, bias = (constant(graph, place) for place in convolution.inputs[1:3])
    kernel = np.moveaxis(kernel, 0, -1)  # (out, h, w, in) or, depthwise, (1, h, w, channels)
    wanted = tuple(layer.kernel.shape)
    is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
    if (convolution.type == CONVOLUTIONS[1]) != is_depthwise or kernel.shape != wanted:
        raise ValueError(
            f"the layer {layer.name} needs a kernel {wanted}, but the file has {kernel.shape}"
        )
    return kernel, bias


def _spread(kernel: "NDArray[np.float32]", is_depthwise: bool) -> "NDArray[np.float32]":
    """Return the spread of each channel of the kernel relative to He initialisation."""
    axes = (0, 1, 3) if is_depthwise else (0, 1, 2)
    inputs = np.prod([kernel.shape[axis] for axis in axes])
    width = np.sqrt(np.square(kernel).mean(axes) * inputs / 2)
    return np.maximum(width, 1e-6).astype(np.float32)  # type: ignore[no-any-return]


def _by_channel(
    scale: "NDArray[np.float32]", kernel: "NDArray[np.float32]"
) -> "NDArray[np.float32]":
    """Return the scale in a shape that broadcasts to the kernel."""
    is_last = kernel.shape[-1] == len(scale)
    return scale if is_last else scale[:, None]
