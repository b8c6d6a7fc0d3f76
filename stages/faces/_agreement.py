"""Compares the faces that two forms of a detector find in the same pictures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stages.tasks import boxes
from stages.tasks.blazeface import Found
from stages.tasks.faces import ALIGNED_BY

SAME = 0.5  # overlap at least of the boxes of the same face


@dataclass(frozen=True, slots=True)
class Agreement:
    """Numbers of faces of the first form, of those that the second one misses, and of those only it finds;
    and the mean distance between landmarks of the same face, as a share of the distance between the eyes.
    """

    faces: int
    missed: int
    added: int
    landmark_error: float  # NaN without a common face


def compare(found: Iterable[tuple[Found, Found]]) -> Agreement:
    """Return how far two forms agree, from what each finds in every picture."""
    errors: list[float] = []
    faces = others = 0
    for one, other in found:
        faces, others = faces + len(one), others + len(other)
        errors += [_error(one, at, other, same) for at, same in _pairs(one, other)]
    common = len(errors)
    mean = float(np.mean(errors)) if errors else float("nan")
    return Agreement(faces, faces - common, others - common, mean)


def _pairs(one: Found, other: Found) -> list[tuple[int, int]]:
    """Return the rows of the same faces."""
    if not len(one) or not len(other):
        return []
    overlap = boxes.overlap(one.boxes, other.boxes)
    return [(at, int(row.argmax())) for at, row in enumerate(overlap) if row.max() >= SAME]


def _error(one: Found, at: int, other: Found, same: int) -> float:
    points, moved = one.landmarks[at, :ALIGNED_BY], other.landmarks[same, :ALIGNED_BY]
    eyes = np.linalg.norm(points[0] - points[1])
    return float(np.linalg.norm(points - moved, axis=1).mean() / max(eyes, 1e-6))
