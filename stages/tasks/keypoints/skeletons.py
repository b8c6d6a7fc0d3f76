"""The two skeletons that the pose stages support: the names of their joints, in order, and the bones
between them.

A skeleton is a named list of joints, independent of file formats, models and features.
"""

COCO17 = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""Joints of COCO, in MoveNet's order."""

JHMDB15 = (
    "neck",
    "belly",
    "face",
    "right_shoulder",
    "left_shoulder",
    "right_hip",
    "left_hip",
    "right_elbow",
    "left_elbow",
    "right_knee",
    "left_knee",
    "right_wrist",
    "left_wrist",
    "right_ankle",
    "left_ankle",
)
"""Joints of JHMDB, in the order of its joint_positions (Jhuang et al. 2013)."""

SKELETONS = {"coco17": COCO17, "jhmdb15": JHMDB15}

_LIMBS = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("shoulder", "hip"),
    ("hip", "knee"),
    ("knee", "ankle"),
)


def bones(joints: "tuple[str, ...] | list[str]") -> "list[tuple[int, int]]":
    """Return the pairs of joint indices that are drawn as lines."""
    named = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMBS]
    named += [("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")]
    named += [
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
    ]
    named += [("face", "neck"), ("neck", "belly")]
    place = {name: index for index, name in enumerate(joints)}
    return [(place[a], place[b]) for a, b in named if a in place and b in place]
