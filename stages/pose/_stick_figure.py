"""A jointed stick figure in front of a camera: how its joints move in six activities, and how a
pose model would see them.

Lengths are fractions of the body's height, angles are in degrees. A limb's `out` turns it sideways from
hanging (0) through horizontal (90) to upright (180), its `ahead` swings it forwards. None of this is
recorded from a person.
"""

from dataclasses import dataclass

import numpy as np

ACTIVITIES = ("arms_circling", "jumping_jacks", "squatting", "standing", "walking", "waving")

_SIDES = (1.0, -1.0)  # left is on the picture's right: the figure faces the camera
_TEMPO_HZ = {
    "arms_circling": 0.6,
    "jumping_jacks": 0.9,
    "squatting": 0.45,
    "standing": 0.2,
    "walking": 0.9,
    "waving": 1.3,
}


@dataclass(frozen=True)
class Person:
    """The properties that are the same in all clips of a person: proportions and style of movement."""

    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    torso: float
    shoulders: float  # half their width
    hips: float
    head: float
    tempo: float  # 1 is the usual speed
    vigour: float  # 1 is the usual range of a movement
    waves_left: bool


def person(random: np.random.Generator) -> Person:
    """Return a random body."""
    usual = np.array([0.17, 0.15, 0.24, 0.24, 0.29, 0.115, 0.075, 0.12])
    lengths = usual * random.normal(1, 0.07, len(usual)).clip(0.8, 1.2)
    manner = random.normal(1, [0.15, 0.2]).clip(0.55, 1.5)
    return Person(*map(float, lengths), *map(float, manner), waves_left=bool(random.random() < 0.3))


def act(
    activity: str, who: Person, frames: int, fps: float, random: np.random.Generator
) -> np.ndarray:
    """Return (frames, 17, 2): the joints in pixels of a camera somewhere in front of the person, y
    down.
    """
    tempo = _TEMPO_HZ[activity] * who.tempo * random.uniform(0.85, 1.15)
    drift = np.cumsum(random.normal(0, 0.01, frames))  # nobody keeps the beat exactly
    phase = 2 * np.pi * (random.random() + tempo * np.arange(frames) / fps) + drift
    reach = who.vigour * random.uniform(0.85, 1.15)
    joints = _stand(who, *_pose(activity, phase, reach, who.waves_left))  # (frames, 17, 3)
    sway = np.cumsum(random.normal(0, 0.0015, (frames, 1, 3)), axis=0)
    return _look(joints + sway, activity, random)


def observe(
    joints: np.ndarray, noise: float, missing: float, random: np.random.Generator
) -> np.ndarray:
    """Return (frames, 17, 3) with scores, as from a pose model: noisy, with some joints uncertain and some
    missing.

    noise: as a fraction of the figure's height; a missing joint is 0, 0, 0
    """
    frames, count = joints.shape[:2]
    height = np.ptp(joints[:, :, 1], axis=1).max()
    occluded = _stretches(frames, count, missing, random)
    blurred = _stretches(frames, count, 2 * missing, random)
    spread = noise * height * np.where(blurred, 4.0, 1.0)[:, :, None]
    points = joints + random.normal(0, 1, joints.shape) * spread
    score = np.where(
        blurred,
        random.uniform(0.05, 0.4, (frames, count)),
        random.uniform(0.45, 0.95, (frames, count)),
    )
    seen = np.concatenate([points, score[:, :, None]], axis=2)
    return np.where(occluded[:, :, None], 0.0, seen)


def _pose(
    activity: str, phase: np.ndarray, reach: float, waves_left: bool
) -> "tuple[dict, np.ndarray]":
    """Return each limb's (out, ahead), left and right, and how far the feet are off the ground
    (frames,).
    """
    still, swing = np.zeros_like(phase), np.sin(phase)
    beat = (1 - np.cos(phase)) / 2  # 0 at rest, 1 at the peak of the movement
    hang = {
        "arm": (still + 10, still),
        "forearm": (still + 6, still + 10),
        "thigh": (still + 4, still),
        "shin": (still, still),
    }
    left, right, lift = dict(hang), dict(hang), still
    for side, sign in ((left, 1), (right, -1)):
        if activity == "arms_circling":
            side["arm"] = side["forearm"] = (np.degrees(phase), still + 15 * (1 - min(reach, 1)))
        elif activity == "jumping_jacks":
            side["arm"] = side["forearm"] = (12 + 145 * min(reach, 1.1) * beat, still)
            side["thigh"] = side["shin"] = (3 + 22 * reach * beat, still)
            lift = 0.05 * reach * np.abs(swing)
        elif activity == "squatting":
            depth = np.clip(75 * reach, 30, 95) * beat
            side["thigh"], side["shin"] = (8 + 8 * beat, depth), (still + 2, -0.45 * depth)
            side["arm"] = side["forearm"] = (still + 8, 80 * beat * min(reach, 1))
        elif activity == "walking":
            side["thigh"] = (still + 2, 26 * reach * sign * swing)
            side["shin"] = (
                still,
                26 * reach * sign * swing - 30 * np.clip(np.cos(phase) * sign, 0, 1),
            )
            side["arm"] = (still + 8, -22 * reach * sign * swing)
            side["forearm"] = (still + 5, 15 - 22 * reach * sign * swing)
            lift = 0.012 * np.abs(swing)
        elif activity == "waving" and (sign > 0) == waves_left:
            side["arm"], side["forearm"] = (
                (still + 70 + 35 * reach, still),
                (165 + 30 * reach * swing, still),
            )
    return {"left": left, "right": right}, lift


def _stand(who: Person, limbs: "dict", lift: np.ndarray) -> np.ndarray:
    """Return (frames, 17, 3) x to the picture's right, y up, z towards the camera.

    The lower foot on the ground.
    """
    still = np.zeros_like(lift)
    hips, places = np.stack([still, still, still], axis=1), {}
    for name, sign in zip(("left", "right"), _SIDES, strict=True):
        limb = limbs[name]
        shoulder = hips + np.array([sign * who.shoulders, who.torso, 0])
        elbow = shoulder + who.upper_arm * _towards(*limb["arm"], sign)
        hip = hips + np.array([sign * who.hips, 0, 0])
        knee = hip + who.thigh * _towards(*limb["thigh"], sign)
        ankle = knee + who.shin * _towards(*limb["shin"], sign)
        eye = hips + np.array([sign * 0.02, who.torso + who.head * 1.1, 0.05])
        ear = hips + np.array([sign * 0.045, who.torso + who.head, 0.0])
        wrist = elbow + who.forearm * _towards(*limb["forearm"], sign)
        places[name] = (eye, ear, shoulder, elbow, wrist, hip, knee, ankle)
    nose = hips + np.array([0, who.torso + who.head * 0.9, 0.07])
    pairs = [joint for both in zip(places["left"], places["right"], strict=True) for joint in both]
    joints = np.stack([nose, *pairs], axis=1)
    ground = joints[:, 15:17, 1].min(axis=1)
    joints[:, :, 1] += (lift - ground)[:, None]
    return joints


def _towards(out: np.ndarray, ahead: np.ndarray, sign: float) -> np.ndarray:
    """Return the unit vectors (frames, 3) of a limb."""
    out, ahead = np.radians(out), np.radians(ahead)
    return np.stack(
        [sign * np.sin(out), -np.cos(out) * np.cos(ahead), np.cos(out) * np.sin(ahead)], axis=1
    )


def _look(joints: np.ndarray, activity: str, random: np.random.Generator) -> np.ndarray:
    """Return (frames, 17, 2) pixels: rotated, scaled and placed as seen by one camera."""
    turn = np.radians(
        random.uniform(25, 80) * random.choice([-1, 1])
        if activity == "walking"
        else random.normal(0, 22)
    )
    tilt = np.radians(random.normal(0, 3))
    across = joints[:, :, 0] * np.cos(turn) + joints[:, :, 2] * np.sin(turn)
    down = -joints[:, :, 1]
    x, y = across * np.cos(tilt) - down * np.sin(tilt), across * np.sin(tilt) + down * np.cos(tilt)
    size = random.uniform(180, 420)
    return np.stack([size * x, size * y], axis=2) + random.uniform([150, 380], [490, 470])


def _stretches(frames: int, count: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Return (frames, count), true for about that share, in stretches: a joint is hidden for several
    frames at a time.
    """
    length = 8
    starts = random.random((frames, count)) < share / length
    return np.stack([starts[max(0, i - length + 1) : i + 1].any(axis=0) for i in range(frames)])
