"""Anchors of a single-shot detector: for each cell of each feature map, boxes of some shapes.

An anchor is (centre y, centre x, height, width), a shape (height, width), in shares of the picture.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Shapes = NDArray[np.float32]  # (shapes, 2)
ASPECTS = (1.0, 2.0, 0.5, 3.0, 1 / 3)  # width over height
SMALLEST, LARGEST = 0.2, 0.95  # scales of the first and the last feature map
COVERED = 0.5  # overlap with a shape, both at the same centre, from which the shape can learn a box
MOST_ADDED = 3  # shapes
WORTHWHILE = 0.03  # share of the training boxes that no shape covers, from which shapes are added
ROUNDS = 50  # of k-means


def coco_shapes(maps: int = 6) -> list[Shapes]:
    """Return the shapes of each feature map of the COCO SSD.

    Source: Liu et al., SSD, 2016, section 2.2, with the three smaller shapes of the first map
    (`reduce_boxes_in_lowest_layer`) of the TensorFlow Object Detection API.
    """
    scales = [*np.linspace(SMALLEST, LARGEST, maps), 1.0]
    lowest = [_shape(0.1, 1.0), _shape(scales[0], 2.0), _shape(scales[0], 0.5)]
    found = [np.array(lowest, np.float32)]
    for scale, following in pairwise(scales[1:]):
        shapes = [_shape(scale, aspect) for aspect in ASPECTS]
        shapes.append(_shape((scale * following) ** 0.5, 1.0))
        found.append(np.array(shapes, np.float32))
    return found


def extended(shapes: Sequence[Shapes], sizes: NDArray[np.float32]) -> list[Shapes]:
    """Return the shapes with up to MOST_ADDED more, for boxes of sizes (n, 2) that none of them covers.

    Each is added to the feature map that has the most similar shape.
    """
    found = list(shapes)
    missed = sizes[_overlap(sizes, np.concatenate(found)).max(1, initial=0) < COVERED]
    if len(missed) < max(2, WORTHWHILE * len(sizes)):
        return found
    for shape in fitted(missed, min(MOST_ADDED, len(missed))):
        at = int(np.argmin([distance(shape, one).min() for one in shapes]))
        found[at] = np.concatenate([found[at], shape[None]])
    return found


def spread(sizes: NDArray[np.float32], counts: Sequence[int]) -> list[Shapes]:
    """Return fitted shapes for feature maps that have this many each; the finest map gets the smallest."""
    return np.split(fitted(sizes, sum(counts)), np.cumsum(counts)[:-1])


def fitted(sizes: NDArray[np.float32], count: int) -> Shapes:
    """Return `count` shapes (count, 2) for boxes of sizes (n, 2), the smallest first.

    k-means with intersection over union instead of a distance, from quantiles of the areas, so that
    nothing is random. Source: Redmon and Farhadi, YOLO9000, 2017, section 2.
    """
    ordered = sizes[np.argsort(sizes.prod(1), kind="stable")]
    places = ((np.arange(count) + 0.5) / count * len(ordered)).astype(int)
    shapes = ordered[places].astype(np.float32)
    for _ in range(ROUNDS):
        nearest = _overlap(sizes, shapes).argmax(1)
        means = [
            sizes[nearest == at].mean(0) if (nearest == at).any() else shapes[at]
            for at in range(count)
        ]
        if np.allclose(means, shapes, atol=1e-6):
            break
        shapes = np.array(means, np.float32)
    return shapes[np.argsort(shapes.prod(1), kind="stable")]


def distance(shape: NDArray[np.float32], others: Shapes) -> NDArray[np.float32]:
    """Return how much a shape (2,) differs from others (n, 2): the length of the logarithms' difference."""
    return np.linalg.norm(np.log(others / shape), axis=1)  # type: ignore[no-any-return]


def anchors(sides: Sequence[int], shapes: Sequence[Shapes]) -> NDArray[np.float32]:
    """Return the anchors (n, 4) of feature maps (side, side), in the order of the network's outputs.

    The order is that of a map's cells by rows, and within a cell that of its shapes.
    """
    found = []
    for side, of_map in zip(sides, shapes, strict=True):
        places = (np.arange(side) + 0.5) / side
        y, x = np.meshgrid(places, places, indexing="ij")
        centres = np.repeat(np.stack([y, x], 2).reshape(-1, 2), len(of_map), 0)
        found.append(np.concatenate([centres, np.tile(of_map, (side * side, 1))], 1))
    return np.concatenate(found).astype(np.float32)


def _shape(scale: float, aspect: float) -> tuple[float, float]:
    return scale / aspect**0.5, scale * aspect**0.5


def _overlap(sizes: NDArray[np.float32], shapes: Shapes) -> NDArray[np.float32]:
    """Return intersection over union (n, m) of sizes (n, 2) and shapes (m, 2) at the same centre."""
    shared = np.minimum(sizes[:, None], shapes[None]).prod(2)
    union = sizes.prod(1)[:, None] + shapes.prod(1)[None] - shared
    return (shared / np.maximum(union, 1e-12)).astype(np.float32)
