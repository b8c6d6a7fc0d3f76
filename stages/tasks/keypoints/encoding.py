"""Turns keypoints into the classifier's input; training and the device use the same code.

A single picture is hip-centred and scaled by the body, with the directions of the bones and the joints'
scores. A window of several frames is a few rows: the mean of each quarter, and each channel's range
within the window, which distinguishes JHMDB's activities better than any single frame. The distances
between joints and the speeds follow DD-Net (Yang et al. 2019).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.tasks.keypoints.skeletons import bones

Array = NDArray[np.float32]

MIRRORED = ("left_", "right_")
_FACE = ("eye", "ear")  # the direction of the head does not matter for the activity
_CLIP = 4.0  # standard deviations: a lost joint must not stretch the int8 range of all others
_QUARTERS = 4


def windows(keypoints: Array, constants: dict[str, Any]) -> Array:
    """Cut a clip (frames, joints, 3) into (windows, window, joints, 3).

    A window covers `span` frames, resampled to `window` frames; a clip that is shorter than a span is
    one window.
    """
    spans = [keypoints[first : last + 1] for first, last in cuts(len(keypoints), constants)]
    return np.stack(
        [
            span if len(span) == constants["window"] else resampled(span, constants["window"])
            for span in spans
        ]
    )


def cuts(frames: int, constants: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the first and the last frame of each window of a clip; the last window ends with the clip."""
    span = min(int(constants["span"]), frames)
    starts = list(range(0, frames - span + 1, int(constants["stride"])))
    if starts[-1] != frames - span:
        starts.append(frames - span)
    return [(start, start + span - 1) for start in starts]


def resampled(keypoints: Array, frames: int) -> Array:
    """Stretch or shrink a clip (any, joints, 3) to (frames, joints, 3), linearly in time."""
    at = np.linspace(0, len(keypoints) - 1, frames)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(keypoints) - 1)
    share = (at - before)[:, None, None]
    return ((1 - share) * keypoints[before] + share * keypoints[after]).astype(np.float32)


def window_features(keypoints: Array, constants: dict[str, Any]) -> Array:
    """Turn windows (n, window, joints, 3) into (n, rows, 1, channels), standardised by the training
    set's constants.
    """
    raw = raw_features(keypoints, constants["joints"])
    mean, deviation = (
        np.asarray(constants["mean"], np.float32),
        np.asarray(constants["deviation"], np.float32),
    )
    standard = np.clip((raw - mean) / deviation, -_CLIP, _CLIP)
    standard[:, :-1] /= np.sqrt(
        max(1, raw.shape[1] - 1)
    )  # the quarters together have the same weight as the range
    return standard.astype(np.float32)[:, :, None, :]


def features(keypoints: Array, constants: dict[str, Any]) -> Array:
    """Turn one clip (frames, joints, 3) into (windows, rows, 1, channels)."""
    return window_features(windows(keypoints, constants), constants)


def raw_features(keypoints: Array, joints: list[str]) -> Array:
    """Turn windows (n, window, joints, 3) into (n, rows, channels), in units of the body's size.

    A picture has one row.
    """
    xy, scores = (
        keypoints[..., :2],
        keypoints[..., 2] - 0.5,
    )  # (n, window, joints, 2), (n, window, joints)
    hips = _middle(xy, joints, "hip")[:, :, None]  # (n, window, 1, 2)
    size = _size(xy, joints)[..., None]  # (n, 1, 1, 1)
    kept = [at for at, name in enumerate(joints) if not name.endswith(_FACE)]
    poses = ((xy - hips) / size)[:, :, kept]
    if keypoints.shape[1] == 1:
        return np.concatenate([_flat(poses), _directions(xy, joints), scores], axis=-1).astype(
            np.float32
        )
    places = ((xy - hips.mean(1, keepdims=True)) / size)[
        :, :, kept
    ]  # a walking person moves through the window
    frames = np.concatenate(
        [_flat(places), _directions(xy, joints), scores, _distances(poses), _speeds(places)],
        axis=-1,
    )
    quarters = [
        part.mean(1) for part in np.array_split(frames, min(_QUARTERS, frames.shape[1]), axis=1)
    ]
    return np.stack([*quarters, frames.max(1) - frames.min(1)], axis=1).astype(np.float32)


def limbs(joints: list[str], part: str) -> list[list[int]]:
    """Return the joints of the left and of the right arm or leg, in the same order."""
    names = {"arm": ("elbow", "wrist"), "leg": ("knee", "ankle")}[part]
    return [[joints.index(f"{side}{name}") for name in names] for side in MIRRORED]


def mirrored_joints(joints: list[str]) -> list[int]:
    """Return, for each joint, the index of the joint on the other side."""
    left, right = MIRRORED
    other = [name.replace(left, "?").replace(right, left).replace("?", right) for name in joints]
    return [joints.index(name) for name in other]


def _middle(xy: Array, joints: list[str], part: str) -> Array:
    left, right = joints.index(f"left_{part}"), joints.index(f"right_{part}")
    middle: Array = (xy[:, :, left] + xy[:, :, right]) / 2
    return middle


def _size(xy: Array, joints: list[str]) -> Array:
    """Return each window's body size (n, 1, 1): twice the root mean square distance of the limbs' joints
    from their middle.

    The torso alone is not a usable measure: from some directions it is foreshortened to almost nothing.
    """
    body = xy[
        :,
        :,
        [
            at
            for at, name in enumerate(joints)
            if name.startswith(MIRRORED) and not name.endswith(_FACE)
        ],
    ]
    spread = ((body - body.mean(2, keepdims=True)) ** 2).sum(-1).mean((1, 2))
    size: Array = 2 * np.sqrt(np.maximum(spread, 1e-6))[:, None, None]
    return size


def _directions(xy: Array, joints: list[str]) -> Array:
    """Return the bones as half unit vectors: (n, window, bones * 2)."""
    pairs = [
        (a, b)
        for a, b in bones(joints)
        if not (joints[a].endswith(_FACE) or joints[b].endswith(_FACE))
    ]
    along = np.stack([xy[:, :, b] - xy[:, :, a] for a, b in pairs], 2)  # (n, window, bones, 2)
    length = np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-3)
    return _flat(along / length / 2)


def _distances(poses: Array) -> Array:
    """Return the distances of all pairs of joints: (n, window, joints * (joints - 1) / 2)."""
    first, second = np.triu_indices(poses.shape[2], 1)
    distances: Array = np.linalg.norm(poses[:, :, first] - poses[:, :, second], axis=-1)
    return distances


def _speeds(places: Array) -> Array:
    """Return how far each joint moved since the previous frame: (n, window, joints).

    In the first frame, it is 0.
    """
    speeds = np.zeros(places.shape[:3], np.float32)
    speeds[:, 1:] = np.linalg.norm(places[:, 1:] - places[:, :-1], axis=-1)
    return speeds


def _flat(points: Array) -> Array:
    """Turn (n, window, points, 2) into (n, window, points * 2)."""
    return points.reshape(*points.shape[:2], points.shape[2] * 2)  # -1 fails for zero windows
