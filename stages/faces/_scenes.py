"""Draws pictures with a face of any size anywhere, to calibrate and to check a detector."""

from typing import TYPE_CHECKING

import numpy as np

from stages.faces import _drawn

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = (0.3, 1.7)  # of the face's picture, as shares of the scene's side
NOISE = 4  # of a pixel of the ground


def scene(number: int, side: int, seed: int) -> "NDArray[np.uint8]":
    """Return a picture (side, side, 3); the same arguments give the same pixels.

    A large face is cut off by the edges, a small one is on a plain ground. No part is black: the border
    that fills a picture up to a square makes the network's values explode, and they need not be exact.
    """
    random = np.random.default_rng([seed, number, side])
    size = round(side * random.uniform(*SIZES))
    face = _drawn.face(number, 0, size, seed)
    ground = random.integers(30, 225, 3) + random.normal(0, NOISE, (side, side, 3))
    picture = np.clip(ground, 0, 255).astype(np.uint8)
    rows, columns = (_overlap(side, size, random) for _ in range(2))
    picture[rows[0], columns[0]] = face[rows[1], columns[1]]
    return picture


def _overlap(side: int, size: int, random: np.random.Generator) -> tuple[slice, slice]:
    """Return where in the scene a part of the face is, and which part it is, along one axis."""
    least, most = sorted((0, side - size))
    start = int(random.integers(least, most + 1))
    there = slice(max(start, 0), min(start + size, side))
    return there, slice(there.start - start, there.stop - start)
