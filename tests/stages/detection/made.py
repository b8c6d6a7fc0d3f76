"""Parts of a data set with bright squares and dark ones, for tests that train."""

from pathlib import Path

import numpy as np

from stages.detection import _truth
from stages.tflite import part

LABELS = ["bright", "dark"]
SIZE = 64


def write(folder: Path, pictures: int, seed: int = 0) -> Path:
    """Write a part; each picture has one to three squares, and the last picture has none."""
    chance = np.random.default_rng(seed)
    values = np.full((pictures, SIZE, SIZE, 3), 120, np.uint8)
    boxes, classes, rows = [], [], []
    for row in range(pictures - 1):
        for _ in range(chance.integers(1, 4)):
            side = int(chance.integers(14, 28))
            top, left = chance.integers(0, SIZE - side, 2)
            kind = int(chance.integers(2))
            values[row, top : top + side, left : left + side] = 10 if kind else 240
            boxes.append([top, left, top + side, left + side])
            classes.append(kind)
            rows.append(row)
    part.write(folder, {"picture": values})
    truth = _truth.Truth(
        boxes=np.array(boxes, np.float32) / SIZE,
        classes=np.array(classes, np.int64),
        pictures=np.array(rows, np.int64),
        ignored=np.zeros(len(rows), bool),
        labels=LABELS,
        names=[f"{row}.png" for row in range(pictures)],
        sizes=[(SIZE, SIZE)] * pictures,
    )
    _truth.write(folder, truth, [f"{row:064x}" for row in range(pictures)])
    return folder
