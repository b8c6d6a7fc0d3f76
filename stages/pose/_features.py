"""From keypoints to what the classifier reads; the same code serves training and the device.

Hip-centred, scaled by the body, with motion at two speeds and the distances between joints (DD-Net, Yang et al. 2019).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MIRRORED = ("left_", "right_")
_TORSO_TO_BODY = 2.5  # a torso times this is about the body's radius (tensorflow.org/lite/tutorials/pose_classification)
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
    hips, shoulders = _middle(xy, joints, "hip"), _middle(xy, joints, "shoulder")  # (n, window, 2)
    torso = np.linalg.norm(shoulders - hips, axis=-1)
    reach = np.linalg.norm(xy - hips[:, :, None], axis=-1).max(-1)
    size = np.maximum(np.maximum(torso * _TORSO_TO_BODY, reach).mean(1), 1e-3)[:, None, None]  # (n, 1, 1)
    poses = (xy - hips[:, :, None]) / size[..., None]
    parts = [poses.reshape(*poses.shape[:2], -1), _distances(poses)]
    if keypoints.shape[1] > 1:
        absolute = (xy - hips[:, :1, None]) / size[..., None]
        parts += [_motion(absolute, 1), _motion(absolute, 2)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def mirrored_joints(joints: list[str]) -> list[int]:
    """Return for each joint the index of its other side."""
    left, right = MIRRORED
    other = [name.replace(left, "?").replace(right, left).replace("?", right) for name in joints]
    return [joints.index(name) for name in other]


def _middle(xy: Array, joints: list[str], part: str) -> Array:
    left, right = joints.index(f"left_{part}"), joints.index(f"right_{part}")
    middle: Array = (xy[:, :, left] + xy[:, :, right]) / 2
    return middle


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
