"""Augments training pictures at random, together with their boxes: zooms, stretches, shifts, mirrors,
changes brightness, contrast, saturation and hue, and joins four pictures in one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.detection.training._matching import Boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRETCH = 1.5  # at most, as a factor
BRIGHTNESS, CONTRAST, SATURATION, HUE = 30.0, 0.3, 0.4, 0.2  # levels of 255, shares, radians
VISIBLE, HIDDEN = 0.5, 0.1  # shares of a box's area in the new picture: still learnt; forgotten
GREY = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class Strength:
    """How much pictures are changed."""

    flip: bool  # mirror half of them
    zoom: float  # in and out at most, as a factor
    mosaic: float  # share that becomes a quarter of four pictures in one (Bochkovskiy et al., YOLOv4, 2020)


@dataclass(frozen=True, slots=True)
class View:
    """The part of each picture that is seen: a share x is at (x - start) / scale, or mirrored."""

    start: "NDArray[np.float64]"  # (n, 2): y, x
    scale: "NDArray[np.float64]"  # (n, 2)
    mirrored: "NDArray[np.bool_]"  # (n,)


def augmented(
    pictures: "NDArray[np.uint8]",
    truth: Sequence[Boxes],
    strength: Strength,
    chance: np.random.Generator,
) -> "tuple[NDArray[np.float32], list[Boxes]]":
    """Return augmented pictures (n, side, side, 3), float32, 0 to 255, and their boxes."""
    view = _view(len(pictures), strength, chance)
    moved = _recoloured(_moved(pictures, view), chance)
    boxes = [_boxes(one, view, at) for at, one in enumerate(truth)]
    return _joined(moved, boxes, strength.mosaic, chance)


def _joined(
    pictures: "NDArray[np.float32]", truth: list[Boxes], share: float, chance: np.random.Generator
) -> "tuple[NDArray[np.float32], list[Boxes]]":
    """Replace some pictures by four at half their size, the upper left one being itself."""
    count, side = pictures.shape[:2]
    half = side // 2
    whole = pictures[:, : 2 * half, : 2 * half]
    small = whole.reshape(count, half, 2, half, 2, 3).mean((2, 4))
    found, boxes = pictures.copy(), list(truth)
    for at in np.flatnonzero(chance.random(count) < share):
        chosen = [int(at), *map(int, chance.integers(0, count, 3))]
        for quarter, other in enumerate(chosen):
            y, x = half * (quarter // 2), half * (quarter % 2)
            found[at, y : y + half, x : x + half] = small[other]
        boxes[at] = _quartered([truth[other] for other in chosen])
    return found, boxes


def _quartered(four: Sequence[Boxes]) -> Boxes:
    """Return the boxes of four pictures in one, row by row."""
    places = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 1, 1]], np.float32)
    moved = [(one.boxes + place) / 2 for one, place in zip(four, places, strict=True)]
    classes, ignored = ([getattr(one, name) for one in four] for name in ("classes", "ignored"))
    return Boxes(np.concatenate(moved), np.concatenate(classes), np.concatenate(ignored))


def _view(count: int, strength: Strength, chance: np.random.Generator) -> View:
    """Choose what is seen: a part of the picture, or all of it and something around."""
    zoom = np.exp(chance.uniform(-1, 1, (count, 1)) * np.log(strength.zoom))
    stretch = np.exp(chance.uniform(-np.log(STRETCH), np.log(STRETCH), (count, 1)) / 2)
    scale = zoom * np.concatenate([stretch, 1 / stretch], 1)
    start = chance.random((count, 2)) * (1 - scale)
    return View(start, scale, strength.flip & (chance.random(count) < 0.5))


def _moved(pictures: "NDArray[np.uint8]", view: View) -> "NDArray[np.float32]":
    """Return the seen part at the same size; what is outside the picture is its mean colour."""
    import tensorflow as tf

    count, side = pictures.shape[:2]
    mean = pictures.mean((1, 2), dtype=np.float32)[:, None, None]
    a0 = np.where(view.mirrored, -1, 1) * view.scale[:, 1]
    a2 = np.where(view.mirrored, view.scale[:, 1] * (side - 1), 0) + view.start[:, 1] * side
    zero = np.zeros(count)
    b1, b2 = view.scale[:, 0], view.start[:, 0] * side
    transforms = np.stack([a0, zero, a2, zero, b1, b2, zero, zero], 1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.constant(pictures - mean, tf.float32),
        transforms=tf.constant(transforms, tf.float32),
        output_shape=[side, side],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return moved.numpy() + mean  # type: ignore[no-any-return]


def _recoloured(pictures: "NDArray[np.float32]", chance: np.random.Generator) -> Any:
    """Return pictures with another brightness, contrast, saturation and hue."""
    count = len(pictures)
    contrast = 1 + chance.uniform(-CONTRAST, CONTRAST, (count, 1, 1))
    saturation = 1 + chance.uniform(-SATURATION, SATURATION, (count, 1, 1))
    turn = chance.uniform(-HUE, HUE, count)
    grey = np.tile(GREY, (3, 1))
    mix = saturation * _turned(turn) @ (np.eye(3) - grey) + grey  # (n, 3, 3)
    light = chance.uniform(-BRIGHTNESS, BRIGHTNESS, (count, 1, 1)).astype(np.float32)
    mix = (contrast * mix).transpose(0, 2, 1).astype(np.float32)
    flat = (pictures.reshape(count, -1, 3) - 127.5) @ mix + 127.5 + light
    return np.clip(flat, 0, 255).reshape(pictures.shape)


def _turned(angle: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return matrices (n, 3, 3) that turn colours around the axis of greys (Rodrigues' formula)."""
    axis = np.full(3, 3**-0.5)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * 3**-0.5
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    found: NDArray[np.float64] = (
        cosine * np.eye(3) + sine * cross + (1 - cosine) * np.outer(axis, axis)
    )
    return found


def _boxes(one: Boxes, view: View, at: int) -> Boxes:
    """Return the boxes in the new picture; those that are mostly outside are ignored or dropped."""
    start, scale = np.tile(view.start[at], 2), np.tile(view.scale[at], 2)
    moved = (one.boxes - start) / scale
    if view.mirrored[at]:
        moved[:, [1, 3]] = 1 - moved[:, [3, 1]]
    inside = np.clip(moved, 0, 1).astype(np.float32)
    share = _areas(inside) / np.maximum(_areas(moved), 1e-12)
    kept = share > HIDDEN
    ignored = one.ignored | (share < VISIBLE)
    return Boxes(inside[kept], one.classes[kept], ignored[kept])


def _areas(boxes: "NDArray[Any]") -> "NDArray[Any]":
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)  # type: ignore[no-any-return]
