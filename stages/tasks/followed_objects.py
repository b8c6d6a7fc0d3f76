"""Follows the objects of a clip: gives each its id, and keeps those whose scores are a little too low for
a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import numpy as np

from stages.tasks.tracking import Seen

if TYPE_CHECKING:
    from stages.tasks.boxes import Detections
    from stages.tasks.tracking import Tracker


def followed(
    detections: Detections,
    weak: Callable[[], Detections],
    tracker: Tracker,
    now_s: float,
    size: tuple[int, ...],
) -> tuple[Detections, list[int]]:
    """Return the objects of a clip's frame with their ids; those that only their past shows are last.

    weak: returns detections whose scores are a little too low; size: height and width in pixels
    """
    others: list[Detections] = []

    def weak_seen() -> Seen:
        others.append(weak())
        return _seen(others[0], size)

    ids, kept = tracker.follow(_seen(detections, size), now_s, weak_seen)
    if not kept:
        return detections, ids
    rows = np.array([row for row, _ in kept])
    return detections.joined(others[0].at(rows)), [*ids, *(number for _, number in kept)]


def _seen(detections: Detections, size: tuple[int, ...]) -> Seen:
    sides = np.array([*size, *size], np.float64)
    return Seen(detections.boxes * sides, detections.classes)
