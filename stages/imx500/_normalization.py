"""Keras's Normalization as what the camera can compute: a factor and an offset for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.imx500._layers import Layer

KIND = "Normalization"
WEIGHTS = 3  # mean, variance, and the number of examples that they were computed from
_EPSILON = 1e-7  # keras.config.epsilon(), the smallest deviation
_LAST = (None, -1, 3)  # the axis of the channels; None: the same for all


def is_fixed(layer: Layer) -> bool:
    """Return whether mean and variance are part of the configuration, and not weights."""
    return layer.config.get("mean") is not None


def scaling(layer: Layer, weights: Sequence[Any] = (0.0, 1.0)) -> tuple[Any, Any]:
    """Return scale and offset, for x * scale + offset; each is a number or has one for each channel.

    weights: mean and variance, which count if they are not part of the configuration. StageError: the
    layer normalises along other axes than the channels.
    """
    axes = layer.config.get("axis", -1)
    for axis in axes if isinstance(axes, list) else [axes]:
        if axis not in _LAST:
            raise StageError(
                f"the layer '{layer.name}' ({KIND}) normalises along the axis {axis}: use axis=-1, for "
                "the channels"
            )
    own = (layer.config["mean"], layer.config["variance"]) if is_fixed(layer) else weights[:2]
    mean, variance = (np.asarray(one, np.float64).ravel() for one in own)
    deviation = np.maximum(np.sqrt(variance), _EPSILON)
    if layer.config.get("invert"):
        return deviation, mean
    return 1 / deviation, -mean / deviation
