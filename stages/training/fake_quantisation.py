"""Simulates int8 arithmetic in a Keras network, to measure its effect and to train for it.

Source: Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, 2018.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 8  # examples per measurement: all activations of a batch are kept in memory


class Activation(layers.Layer):
    """Rounds its input to 256 levels between the lowest and the highest measured value."""

    def __init__(self) -> None:
        super().__init__()
        self.is_measuring = False
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
        self.high = self.add_weight(shape=(), initializer="zeros", trainable=False, name="high")

    def call(self, x: Any) -> Any:
        if self.is_measuring:
            self.low.assign(tf.minimum(self.low, tf.reduce_min(x)))
            self.high.assign(tf.maximum(self.high, tf.reduce_max(x)))
            return x
        high = tf.maximum(self.high, self.low + 1e-6)
        return tf.quantization.fake_quant_with_min_max_vars(x, self.low, high)


class Rounded(layers.Layer):
    """Applies a layer with its kernel rounded to 255 levels, per channel; per tensor if dense."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def call(self, x: Any) -> Any:
        layer, kernel = self.layer, self.layer.kernel
        if isinstance(layer, layers.Dense):
            outputs = tf.matmul(x, _rounded(kernel, None))
        elif isinstance(layer, layers.DepthwiseConv2D):
            rounded = _rounded(kernel, (0, 1, 3))
            outputs = keras.ops.depthwise_conv(x, rounded, layer.strides, layer.padding)
        else:
            outputs = keras.ops.conv(x, _rounded(kernel, (0, 1, 2)), layer.strides, layer.padding)
        return outputs + layer.bias if layer.use_bias else outputs


def simulated(network: Any, examples: "NDArray[Any]") -> Any:
    """Return a network with the same layers and weights whose values are rounded as in int8.

    examples: (n, ...) inputs for measuring the ranges of the activations, as in calibration.

    The two networks share their weights, so training one trains the other. Rounding does not change
    gradients. Batch normalisation must keep its statistics, since it is folded into the kernels.
    Convolutions, dense layers, ReLU, sigmoid, additions, concatenations and global average pooling are
    supported.
    """
    rounding: list[Activation] = []
    twin = _rebuilt(network, rounding.append)
    _set(rounding, is_measuring=True)
    for start in range(0, len(examples), BATCH):
        twin(tf.constant(examples[start : start + BATCH]), training=False)
    _set(rounding, is_measuring=False)
    return twin


def with_rounded_kernels(network: Any) -> Any:
    """Return a network with the same layers and weights whose kernels alone are rounded.

    It needs no example, and a training step takes hardly longer than one of the network itself.
    """
    return _rebuilt(network, None)


def _rebuilt(network: Any, add: "Callable[[Activation], None] | None") -> Any:
    """Return the network, including nested ones, with rounded kernels, and with rounded activations,
    whose layers are passed to `add`; None: without.
    """
    following = _following(network)

    def call(layer: Any, x: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Model):
            return _rebuilt(layer, add)(x)
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            x = Rounded(layer)(x)
        else:
            x = layer(x, **options)
        if add is None or not _is_rounded(layer, following.get(layer.name)):
            return x
        rounded = Activation()
        add(rounded)
        return rounded(x)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


def _following(network: Any) -> dict[str, Any]:
    """Return the layer that uses a layer's output, by the name of the latter; of several, the last one."""
    found = {}
    for layer in network.layers:
        if not isinstance(layer, layers.InputLayer):
            for tensor in keras.tree.flatten(layer.input):
                found[id(tensor)] = layer
    return {layer.name: found.get(id(layer.output)) for layer in network.layers}


def _is_rounded(layer: Any, following: Any) -> bool:
    """Return whether TFLite stores the layer's output; a layer before a ReLU is fused with it."""
    if isinstance(layer, layers.BatchNormalization):
        return not isinstance(following, layers.ReLU)
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):  # most are folded into the next
        return not isinstance(following, layers.BatchNormalization | layers.ReLU)
    kinds = (layers.ReLU, layers.Add, layers.Dense, layers.Rescaling)
    joining = (layers.Concatenate, layers.Activation, layers.GlobalAveragePooling2D)
    return isinstance(layer, (*kinds, *joining))


def _rounded(kernel: Any, axes: "tuple[int, ...] | None") -> Any:
    """Return the kernel rounded to 255 levels around zero; axes: those that share a scale, None: all."""
    most = tf.stop_gradient(tf.reduce_max(tf.abs(kernel), axes, keepdims=True))
    scale = tf.maximum(most, 1e-9) / 127
    return kernel + tf.stop_gradient(tf.round(kernel / scale) * scale - kernel)


def _set(rounding: list[Activation], *, is_measuring: bool) -> None:
    for layer in rounding:
        layer.is_measuring = is_measuring


def measured_on(examples: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """Return `count` evenly spaced examples."""
    chosen = np.linspace(0, len(examples) - 1, min(count, len(examples))).round().astype(int)
    return examples[chosen]
