"""Augments training pictures at random: rotates, shifts, zooms, brightens and mirrors them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Turns pictures (n, side, side, 3) into the inputs of a training step, float32
Changed = Callable[["NDArray[np.uint8]", np.random.Generator], "NDArray[np.float32]"]

TURN, SHIFT, ZOOM = 0.2, 0.1, 0.15  # maxima: radians, share of the side, share of the size
BRIGHTNESS, CONTRAST = 25.0, 0.2  # maxima: levels out of 255, share


def inputs(
    augment: bool,
    flip: bool,
    pictures: "NDArray[np.uint8]",
    chance: "np.random.Generator",
) -> "NDArray[np.float32]":
    """Return the pictures for a training step: augmented or unchanged."""
    return augmented(pictures, flip, chance) if augment else pictures.astype(np.float32)


def augmented(
    pictures: "NDArray[np.uint8]", flip: bool, chance: "np.random.Generator"
) -> "NDArray[np.float32]":
    """Return augmented pictures (n, side, side, 3), float32, 0 to 255."""
    import tensorflow as tf

    count, side = pictures.shape[:2]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.constant(pictures, tf.float32),
        transforms=_transforms(count, side, flip, chance),
        output_shape=[side, side],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    contrast = 1 + chance.uniform(-CONTRAST, CONTRAST, (count, 1, 1, 1)).astype(np.float32)
    light = chance.uniform(-BRIGHTNESS, BRIGHTNESS, (count, 1, 1, 1)).astype(np.float32)
    values: Any = (moved.numpy() - 127.5) * contrast + 127.5 + light
    return np.clip(values, 0, 255)  # type: ignore[no-any-return]


def _transforms(
    count: int, side: int, flip: bool, chance: "np.random.Generator"
) -> "NDArray[np.float32]":
    """Return (n, 8): the pixel x, y is read from a0 x + a1 y + a2, b0 x + b1 y + b2."""
    turn = chance.uniform(-TURN, TURN, count)
    scale = 1 + chance.uniform(-ZOOM, ZOOM, count)
    mirror = np.where(flip & (chance.random(count) < 0.5), -1.0, 1.0)
    centre = (side - 1) / 2
    shift_x, shift_y = chance.uniform(-SHIFT, SHIFT, (2, count)) * side
    a0, a1 = scale * np.cos(turn) * mirror, -scale * np.sin(turn)
    b0, b1 = scale * np.sin(turn) * mirror, scale * np.cos(turn)
    a2 = centre + shift_x - (a0 + a1) * centre
    b2 = centre + shift_y - (b0 + b1) * centre
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], 1).astype(np.float32)
