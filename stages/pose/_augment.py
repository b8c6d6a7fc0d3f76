"""Derives new training windows from existing ones: other views, other bodies, other speeds.

Pure numpy, seeded by the caller.
"""

import numpy as np
from numpy.typing import NDArray

from stages.tasks.keypoints.encoding import limbs, mirrored_joints

Array = NDArray[np.float32]


def augmented(
    keypoints: Array, joints: list[str], limb_swap: float, chance: np.random.Generator
) -> Array:
    """Return windows (n, window, joints, 3) varied as if by another camera, body and speed."""
    n, window = keypoints.shape[:2]
    made = _warped(keypoints, chance) if window > 1 else keypoints.copy()
    _swap_limbs(made, joints, limb_swap, chance)
    xy = made[..., :2]
    centre = xy.mean((1, 2), keepdims=True)
    size = np.maximum(xy.std((1, 2, 3), keepdims=True), 1e-3)
    xy = (xy - centre) / size
    flip = chance.random(n) < 0.5
    xy[flip] = xy[flip][:, :, mirrored_joints(joints)] * np.array([-1, 1], np.float32)
    xy = np.einsum("ntjc,ncd->ntjd", xy, _views(n, chance))
    xy += chance.normal(0, 0.03, (n, 1, *xy.shape[2:])) + chance.normal(0, 0.015, xy.shape)
    lost = chance.random((n, 1, xy.shape[2], 1)) < 0.03
    xy = np.where(lost, chance.normal(0, 0.5, xy.shape), xy)
    made[..., :2] = xy * size + centre
    return made.astype(np.float32)


def _swap_limbs(
    keypoints: Array, joints: list[str], share: float, chance: np.random.Generator
) -> None:
    """Swap left and right arms or legs in some windows, an error that pose models make."""
    for part in ("arm", "leg"):
        left, right = limbs(joints, part)
        rows = np.flatnonzero(chance.random(len(keypoints)) < share)[:, None]
        keypoints[rows, :, left + right] = keypoints[rows, :, right + left]


def _views(n: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Return (n, 2, 2) rotations by about 10 degrees, with stretch and shear."""
    angle = chance.normal(0, 0.17, n)
    rotation = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], -1).reshape(
        n, 2, 2
    )
    stretch = np.eye(2) * chance.normal(1, 0.12, (n, 1, 2)) + chance.normal(0, 0.05, (n, 2, 2))
    return np.asarray(rotation @ stretch)


def _warped(keypoints: Array, chance: np.random.Generator) -> Array:
    """Resample each window with another speed and another start, within its own frames."""
    n, window = keypoints.shape[:2]
    length = (window - 1) * chance.uniform(0.7, 1.0, n)
    start = chance.uniform(0, 1, n) * (window - 1 - length)
    at = start[:, None] + np.linspace(0, 1, window)[None] * length[:, None]  # (n, window)
    before = np.clip(np.floor(at).astype(int), 0, window - 1)
    after = np.minimum(before + 1, window - 1)
    share = (at - before)[:, :, None, None]
    rows = np.arange(n)[:, None]
    return ((1 - share) * keypoints[rows, before] + share * keypoints[rows, after]).astype(
        np.float32
    )
