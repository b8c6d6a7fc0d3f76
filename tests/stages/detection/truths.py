"""Ground truth and detections written by hand, one line for each box."""

import numpy as np

from stages.detection._truth import Truth
from stages.tasks.boxes import Detections

SIDE = 100  # height and width of a picture in pixels, so that shares are easy to read


def truth(pictures, labels=("cat", "dog"), size=(SIDE, SIDE)):
    """Return the truth of pictures, each a list of (class, top, left, bottom, right[, ignored]) in pixels."""
    rows = [(at, *one) for at, boxes in enumerate(pictures) for one in boxes]
    sides = np.array([*size, *size], np.float32)
    return Truth(
        boxes=np.array([one[2:6] for one in rows], np.float32).reshape(-1, 4) / sides,
        classes=np.array([one[1] for one in rows], np.int64),
        pictures=np.array([one[0] for one in rows], np.int64),
        ignored=np.array([len(one) > 6 for one in rows], bool),
        labels=list(labels),
        names=[f"{at}.jpg" for at in range(len(pictures))],
        sizes=[size] * len(pictures),
    )


def detections(*rows, size=(SIDE, SIDE)):
    """Return the detections of one picture: (class, score, top, left, bottom, right) in pixels."""
    sides = np.array([*size, *size], np.float32)
    return Detections(
        np.array([one[2:] for one in rows], np.float32).reshape(-1, 4) / sides,
        np.array([one[1] for one in rows], np.float32),
        np.array([one[0] for one in rows], np.int64),
    )


def crowded(seed=0, pictures=30):
    """Return random truth of two classes with detections, most of which are near a true box."""
    chance = np.random.default_rng(seed)
    boxes, found = [], []
    for _ in range(pictures):
        corners = chance.uniform(0, 60, (chance.integers(0, 6), 2))
        sides = chance.uniform(10, 40, corners.shape)
        kinds = chance.integers(0, 2, len(corners))
        boxes.append([(k, *c, *(c + s)) for k, c, s in zip(kinds, corners, sides, strict=True)])
        moved = [np.array(one[1:]) + chance.normal(0, 3, 4) for one in boxes[-1] * 2]
        flipped = [one[0] ^ (chance.random() < 0.2) for one in boxes[-1] * 2]
        rows = zip(flipped, chance.random(len(moved)), moved, strict=True)
        found.append(detections(*((int(k), s, *m) for k, s, m in rows)))
    return truth(boxes), found
