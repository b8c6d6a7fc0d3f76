"""Cuts a face out of a picture, turned and scaled so that eyes, nose and mouth are where a network expects
them. Numpy, and `stages.media.scaling` for large faces.

A point is (x, y) in pixels from the picture's top left corner; the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Eyes (the one on the left of the picture first), nose and mouth as shares of the aligned face's side: means
# over the points of dlib's mean face (dlib/image_transforms/interpolation.h), with its padding of 0.25.
TEMPLATE = np.array([[0.317, 0.3107], [0.6698, 0.3107], [0.4934, 0.5104], [0.4934, 0.7]])


def similarity(source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """Return the turn, scale and shift (2, 3) that map points (n, 2) onto others with least squares.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991,
    in two dimensions and without reflection.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    size = max(float((a * a).sum()), 1e-12)
    cosine = float((a * b).sum()) / size
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = target.mean(0) - turn @ source.mean(0)
    return np.concatenate([turn, shift[:, None]], 1)


def aligned(
    picture: NDArray[np.uint8],
    points: NDArray[Any],
    wanted: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Return the part of a picture in which these points (n, 2) are at the wanted ones (n, 2).

    shape: height and width of the returned part; black beyond the picture
    """
    matrix = similarity(wanted, np.asarray(points, np.float64))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))  # pixels of the picture per returned pixel
    if scale > 1:
        picture, matrix = _reduced(picture, matrix, scale, shape)
    return _sampled(picture, matrix, shape)


def _reduced(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], scale: float, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the part around the face at the face's scale, antialiased, and the matrix for it."""
    from stages.media.scaling import resized

    corners = _corners(shape) @ matrix[:, :2].T + matrix[:, 2]
    height, width = picture.shape[:2]
    first = np.clip(np.floor(corners.min(0) - 2 * scale), 0, [width - 1, height - 1]).astype(int)
    last = np.clip(np.ceil(corners.max(0) + 2 * scale), first + 1, [width, height]).astype(int)
    part = picture[first[1] : last[1], first[0] : last[0]]
    size = np.maximum(1, np.round((last - first) / scale)).astype(int)
    small = resized(np.ascontiguousarray(part), int(size[0]), int(size[1]))
    ratio = size / (last - first)
    moved = np.concatenate([matrix[:, :2], (matrix[:, 2] - first)[:, None]], 1)
    return small, moved * ratio[:, None]


def _corners(shape: tuple[int, int]) -> NDArray[np.float64]:
    height, width = shape
    return np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)


def _sampled(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the picture's values at the mapped centres of the face's pixels, bilinear."""
    height, width = shape
    grid = (
        np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + 0.5
    )  # (height, width, 2)
    places = grid @ matrix[:, :2].T + matrix[:, 2] - 0.5 + 1  # + 1: the black border
    bordered = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    wide = bordered.shape[1]
    most = np.array([wide - 1, bordered.shape[0] - 1])
    places = np.clip(places, 0, most - 1e-3)
    x, y = np.floor(places).astype(int).transpose(2, 0, 1)
    across, down = (places - np.floor(places)).astype(np.float32).transpose(2, 0, 1)[..., None]
    pixels, at = bordered.reshape(-1, 3), y * wide + x

    def beside(step: int) -> NDArray[np.float32]:
        return pixels.take(at + step, axis=0).astype(np.float32)

    upper = beside(0) * (1 - across) + beside(1) * across
    lower = beside(wide) * (1 - across) + beside(wide + 1) * across
    return np.round(upper * (1 - down) + lower * down).astype(np.uint8)  # type: ignore[no-any-return]
