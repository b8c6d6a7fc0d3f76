"""Tells a head that turns from a flat picture of one: the check that the option `liveness: turn` asks for.

A photograph passes neither by being shown nor by being turned, since its nose stays where it is between the
ears. A video of a turning head passes, and so do several pictures of the same person at different angles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.tasks import face_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Degrees between the leftmost and the rightmost turn. Photographs of 40 people, turned by 50 degrees to each
# side, seemed to turn by 31 at most.
LEAST = 40.0


class Turns:
    """How far each person's head has turned since the beginning of a clip."""

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[float, float]] = {}

    def is_live(self, name: str, landmarks: NDArray[Any]) -> bool:
        """Note the turn of a named face, and return whether the head has turned far enough by now.

        landmarks: (6, 2) in pixels; none at all: never live
        """
        if not len(landmarks):
            return False
        angle = face_turn.turn(landmarks)
        low, high = self._ranges.get(name, (angle, angle))
        self._ranges[name] = min(low, angle), max(high, angle)
        return self.has_turned(name)

    def has_turned(self, name: str) -> bool:
        """Return whether the person's head has turned far enough by now."""
        low, high = self._ranges.get(name, (0.0, 0.0))
        return high - low >= LEAST
