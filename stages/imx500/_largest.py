"""Lists what the layers of a Keras model need of the camera's memory, largest first."""

from __future__ import annotations

from typing import Any

SHOWN = 8
# Layers that the quantiser merges into the one before them, so that their output needs no memory.
_MERGED = ("BatchNormalization", "ReLU", "Activation", "Dropout", "InputLayer", "Identity")


def layers_of(model: Any) -> list[dict[str, Any]]:
    """Return every layer: name, operator, bytes of its weights and of its output, in 8 bits each.

    model: a Keras model with a batch of 1
    """
    return [
        {
            "name": layer.name,
            "operator": type(layer).__name__,
            "weights_bytes": _weights(layer),
            "output_bytes": _output(layer),
        }
        for layer in model.layers
    ]


def largest(layers: list[dict[str, Any]], count: int = SHOWN) -> list[dict[str, Any]]:
    """Return the layers that need most memory for weights and output together."""
    return sorted(layers, key=lambda one: -one["weights_bytes"] - one["output_bytes"])[:count]


def _weights(layer: Any) -> int:
    """Return the bytes: none for a normalisation, which becomes part of a convolution."""
    return 0 if type(layer).__name__ == "BatchNormalization" else int(layer.count_params())


def _output(layer: Any) -> int:
    if type(layer).__name__ in _MERGED:
        return 0
    shape, elements = layer.output_shape, 1
    for size in (shape[0] if isinstance(shape, list) else shape)[1:]:
        elements *= int(size or 1)
    return elements
