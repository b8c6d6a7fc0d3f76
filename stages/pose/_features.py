"""From keypoints to what the classifier reads; the same code serves training and the device.

Hip-centred and scaled by the body, with the directions of the bones and the joints' scores; windows of several frames
also have motion at two speeds and the distances between joints (DD-Net, Yang et al. 2019).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.pose._skeletons import bones

Array = NDArray[np.float32]

MIRRORED = ("left_", "right_")
_FACE = ("eye", "ear")  # where a head looks is not what a body does
_CLIP = 4.0  # standard deviations: a lost joint must not stretch the int8 range of all others


def windows(keypoints: Array, window: int, stride: int) -> Array:
    """Cut a clip (frames, joints, 3) into (windows, window, joints, 3); a shorter clip is stretched to one window."""
    frames = len(keypoints)
    if frames < window:
        return resampled(keypoints, window)[None]
    starts = list(range(0, frames - window + 1, stride))
    if starts[-1] != frames - window:
        starts.append(frames - window)  # the end of a clip is part of it
    return np.stack([keypoints[start : start + window] for start in starts])


def resampled(keypoints: Array, frames: int) -> Array:
    """Stretch or shrink a clip (any, joints, 3) to (frames, joints, 3), linearly in time."""
    at = np.linspace(0, len(keypoints) - 1, frames)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(keypoints) - 1)
    share = (at - before)[:, None, None]
    return ((1 - share) * keypoints[before] + share * keypoints[after]).astype(np.float32)


def window_features(keypoints: Array, constants: dict[str, Any]) -> Array:
    """Turn windows (n, window, joints, 3) into (n, window, 1, channels), standardised by the training set's constants."""
    raw = raw_features(keypoints, constants["joints"])
    mean, deviation = np.asarray(constants["mean"], np.float32), np.asarray(constants["deviation"], np.float32)
    return np.clip((raw - mean) / deviation, -_CLIP, _CLIP).astype(np.float32)[:, :, None, :]


def features(keypoints: Array, constants: dict[str, Any]) -> Array:
    """Turn one clip (frames, joints, 3) into (windows, window, 1, channels)."""
    return window_features(windows(keypoints, constants["window"], constants["stride"]), constants)


def raw_features(keypoints: Array, joints: list[str]) -> Array:
    """Turn windows (n, window, joints, 3) into (n, window, channels), in units of the body's size."""
    xy = keypoints[..., :2]  # (n, window, joints, 2)
    hips = _middle(xy, joints, "hip")  # (n, window, 2)
    size = _size(xy, joints)[..., None]  # (n, 1, 1, 1)
    kept = [at for at, name in enumerate(joints) if not name.endswith(_FACE)]
    poses = ((xy - hips[:, :, None]) / size)[:, :, kept]
    parts = [poses.reshape(*poses.shape[:2], -1), _directions(xy, joints), keypoints[..., 2] - 0.5]
    if keypoints.shape[1] > 1:
        absolute = ((xy - hips[:, :1, None]) / size)[:, :, kept]
        parts += [_distances(poses), _motion(absolute, 1), _motion(absolute, 2)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def limbs(joints: list[str], part: str) -> list[list[int]]:
    """Return for arms or legs the joints of the left and of the right one, in the same order."""
    names = {"arm": ("elbow", "wrist"), "leg": ("knee", "ankle")}[part]
    return [[joints.index(f"{side}{name}") for name in names] for side in MIRRORED]


def mirrored_joints(joints: list[str]) -> list[int]:
    """Return for each joint the index of its other side."""
    left, right = MIRRORED
    other = [name.replace(left, "?").replace(right, left).replace("?", right) for name in joints]
    return [joints.index(name) for name in other]


def _middle(xy: Array, joints: list[str], part: str) -> Array:
    left, right = joints.index(f"left_{part}"), joints.index(f"right_{part}")
    middle: Array = (xy[:, :, left] + xy[:, :, right]) / 2
    return middle


def _size(xy: Array, joints: list[str]) -> Array:
    """Return each window's body size (n, 1, 1): twice the root mean square distance of the limbs' joints from their middle.

    A torso alone is no measure: seen from the front or above it shrinks to nothing.
    """
    body = xy[:, :, [at for at, name in enumerate(joints) if name.startswith(MIRRORED) and not name.endswith(_FACE)]]
    spread = ((body - body.mean(2, keepdims=True)) ** 2).sum(-1).mean((1, 2))
    size: Array = 2 * np.sqrt(np.maximum(spread, 1e-6))[:, None, None]
    return size


def _directions(xy: Array, joints: list[str]) -> Array:
    """Return the bones as half unit vectors: (n, window, bones * 2)."""
    pairs = [(a, b) for a, b in bones(joints) if not (joints[a].endswith(_FACE) or joints[b].endswith(_FACE))]
    along = np.stack([xy[:, :, b] - xy[:, :, a] for a, b in pairs], 2)  # (n, window, bones, 2)
    length = np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-3)
    return (along / length / 2).reshape(*along.shape[:2], -1)


def _distances(poses: Array) -> Array:
    """Return the distances of all pairs of joints: (n, window, joints * (joints - 1) / 2)."""
    first, second = np.triu_indices(poses.shape[2], 1)
    distances: Array = np.linalg.norm(poses[:, :, first] - poses[:, :, second], axis=-1)
    return distances


def _motion(absolute: Array, step: int) -> Array:
    """Return how far each joint moved within `step` frames: (n, window, joints * 2); the first frames stand still."""
    moved = np.zeros_like(absolute)
    moved[:, step:] = absolute[:, step:] - absolute[:, :-step]
    return moved.reshape(*moved.shape[:2], -1)
