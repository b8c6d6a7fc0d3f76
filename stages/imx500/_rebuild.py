"""Rebuilds a trained Keras model in Keras 2.15, layer by layer, for Sony's tools.

Layers that the camera's converter refuses are replaced by others that compute the same: Rescaling and
Normalization by a depthwise convolution of one pixel. Layers that do nothing after training are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.imx500 import _normalization
from stages.imx500._layers import Layer, Network, Reference, leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRAINING_ONLY = (
    "Dropout",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "ActivityRegularization",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
)
_LISTED = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot", "Concatenate")

Results = dict[Reference, Any]  # the tensors of a network's layers


def rebuilt(
    network: Network, weights: Sequence[NDArray[Any]], picture: Mapping[str, float] | None = None
) -> tuple[Any, list[str]]:
    """Return the Keras 2.15 model, and the names of its outputs in order.

    weights: in the order of Keras's `get_weights`
    picture: mean and deviation with which the model's pixels are scaled before it; the rebuilt one
             does that itself
    StageError: Keras 2.15 lacks a layer, or the weights are those of another architecture.
    """
    import tensorflow as tf

    builder = _Builder()
    inputs = [
        _input(layer.config["batch_input_shape"][1:], _plain(layer.name))
        for layer in _inputs(network)
    ]
    outputs = builder.called(network, [_scaled(each, picture) for each in inputs])
    builder.set_weights(network, weights)
    one = inputs[0] if len(inputs) == 1 else inputs
    return tf.keras.Model(one, outputs), list(network.outputs)


def scaled_by(scale: Any, offset: Any, name: str, channels: int) -> Any:
    """Return a layer that computes x * scale + offset for each channel of a picture.

    scale, offset: a number, or one for each channel
    """
    import tensorflow as tf

    kernel, shift = _weights_of_scaling(scale, offset, channels)
    return tf.keras.layers.DepthwiseConv2D(
        1,
        name=name,
        depthwise_initializer=tf.keras.initializers.Constant(kernel),
        bias_initializer=tf.keras.initializers.Constant(shift),
    )


def _weights_of_scaling(scale: Any, offset: Any, channels: int) -> list[NDArray[np.float32]]:
    """Return the kernel and the bias of a depthwise convolution of one pixel."""
    kernel = np.broadcast_to(np.asarray(scale, np.float32), (channels,)).reshape(1, 1, channels, 1)
    return [kernel.copy(), np.broadcast_to(np.asarray(offset, np.float32), (channels,)).copy()]


def _scaled(source: Any, picture: Mapping[str, float] | None) -> Any:
    if picture is None:
        return source
    mean, deviation = picture["mean"], picture["deviation"]
    return scaled_by(1 / deviation, -mean / deviation, "scaled_picture", source.shape[-1])(source)


def _inputs(network: Network) -> list[Layer]:
    named = {layer.name: layer for layer in network.layers}
    return [named[each.layer] for each in network.inputs]


class _Builder:
    """Makes each layer once, and calls it as often as the network does."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}  # the described layer's identity -> Keras's layer
        self._names: set[str] = set()

    def called(self, network: Network, feeds: Sequence[Any]) -> list[Any]:
        """Return the network's outputs for these inputs."""
        results: Results = dict(zip(network.inputs, feeds, strict=True))
        waiting = [
            (layer, at, call)
            for layer in network.layers
            for at, call in enumerate(layer.calls)
            if layer.kind != "InputLayer"
        ]
        while waiting:
            later = []
            for layer, at, call in waiting:
                if any(_found(results, each) is None for each in call):
                    later.append((layer, at, call))
                    continue
                made = self._call(layer, [_found(results, each) for each in call])
                results.update({Reference(layer.name, at, n): one for n, one in enumerate(made)})
            if len(later) == len(waiting):
                raise StageError(
                    f"the layer '{later[0][0].name}' gets a tensor that no layer makes: save the "
                    "model again"
                )
            waiting = later
        return [_found(results, each) for each in network.outputs.values()]

    def set_weights(self, network: Network, weights: Sequence[NDArray[Any]]) -> None:
        """Give each layer its weights."""
        remaining = list(weights)
        for layer in leaves(network):
            made = self._made.get(id(layer))
            if made is None or layer.kind == "Rescaling":
                continue
            if layer.kind == _normalization.KIND:
                remaining = _set_normalization(layer, made, remaining)
                continue
            expected = [tuple(each.shape) for each in made.weights]
            own, remaining = remaining[: len(expected)], remaining[len(expected) :]
            if [each.shape for each in own] != expected:
                raise StageError(
                    f"the weights of the layer '{layer.name}' have the shapes "
                    f"{[list(each.shape) for each in own]}, but it needs "
                    f"{[list(each) for each in expected]}: save architecture and weights again"
                )
            made.set_weights(own)
        if remaining:
            raise StageError(
                f"the model has {len(remaining)} more weights than its architecture: save both "
                "again"
            )

    def _call(self, layer: Layer, given: list[Any]) -> list[Any]:
        if layer.network is not None:
            return self.called(layer.network, given)
        if layer.kind in _TRAINING_ONLY:
            return given
        if id(layer) not in self._made:
            self._made[id(layer)] = _keras(layer, self._unique(layer.name), given[0])
        made = _called(layer, self._made[id(layer)], given)
        return list(made) if isinstance(made, (list, tuple)) else [made]

    def _unique(self, name: str) -> str:
        """Return a name that Keras 2.15 accepts, with a number if another layer has it."""
        plain = _plain(name)
        found, count = plain, 0
        while found in self._names:
            count += 1
            found = f"{plain}_again_{count}"
        self._names.add(found)
        return found


def _set_normalization(layer: Layer, made: Any, weights: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Give the convolution that replaces it mean and variance; return the weights of other layers."""
    if _normalization.is_fixed(layer):
        return weights
    channels = made.weights[1].shape[0]
    own, others = weights[: _normalization.WEIGHTS], weights[_normalization.WEIGHTS :]
    sizes = [one.size for one in own]
    if sizes not in ([channels, channels, 1], [1, 1, 1]):
        raise StageError(
            f"the layer '{layer.name}' ({layer.kind}) has no mean and variance for {channels} channels: "
            "save the model again"
        )
    made.set_weights(_weights_of_scaling(*_normalization.scaling(layer, own), channels))
    return others


def _input(shape: Sequence[Any], name: str) -> Any:
    import tensorflow as tf

    try:
        return tf.keras.Input(shape, name=name)
    except (ValueError, TypeError) as error:
        raise StageError(
            f"the input '{name}' has the size {list(shape)}: save the model again"
        ) from error


def _plain(name: str) -> str:
    """Return the name with `_` for each character that TensorFlow refuses in one."""
    found = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return found if found[:1].isalnum() else f"layer{found}"


def _called(layer: Layer, made: Any, given: list[Any]) -> Any:
    """Return what Keras's layer makes of these tensors; StageError: it does not take them."""
    import tensorflow as tf

    try:
        return made(given if layer.kind in _LISTED else given[0])
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise StageError(
            f"Keras 2.15 cannot run the layer '{layer.name}' ({layer.kind}): {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0][:300]


def _found(results: Mapping[Reference, Any], wanted: Reference) -> Any:
    """Return a tensor; a nested network counts its calls from 0 or 1, whichever Keras wrote it."""
    if wanted in results:
        return results[wanted]
    same = [
        value
        for each, value in results.items()
        if (each.layer, each.result) == (wanted.layer, wanted.result)
    ]
    return same[0] if len(same) == 1 else None


def _keras(layer: Layer, name: str, given: Any) -> Any:
    """Return Keras 2.15's layer; StageError: it has no such layer or setting."""
    import tensorflow as tf

    if layer.kind == "Rescaling":
        config = layer.config
        return scaled_by(config["scale"], config["offset"], name, int(given.shape[-1]))
    if layer.kind == _normalization.KIND:
        return scaled_by(*_normalization.scaling(layer), name, int(given.shape[-1]))
    kind = getattr(tf.keras.layers, layer.kind, None)
    if kind is None:
        raise StageError(
            f"Keras 2.15, which Sony's tools need, has no layer {layer.kind} ('{layer.name}'): "
            "replace it, for instance by convolutions, additions and ReLU"
        )
    try:
        return kind.from_config({**layer.config, "name": name})
    except (TypeError, ValueError, KeyError, AttributeError) as error:  # as layers' own code raises
        raise StageError(
            f"the layer '{layer.name}' ({layer.kind}) has a setting that Keras 2.15 does not know: "
            f"{_first_line(error)}"
        ) from error
