"""Follows the faces of a clip, and averages over time how similar each is to the enrolled people, so that
a single bad frame changes no name. Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Set

from stages.tasks.smoothing import Average, kept_threshold
from stages.tasks.tracking import Seen, Tracker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Named:
    """What is known of a face from its last frames."""

    id: int
    similar: NDArray[np.float32]  # (people,) the average similarity with each
    threshold: float  # lower if the face had a name in the frame before


class FollowedFaces:
    """The faces of one clip."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._similar: Dict[int, Average] = {}
        self._have_names: Set[int] = set()

    def named(
        self,
        boxes: NDArray[Any],
        similar: Sequence[NDArray[np.float32]],
        threshold: float,
        now_s: float,
    ) -> List[Named]:
        """Return what is known of each face of a frame.

        boxes: (n, 4) in pixels; similar: n times the similarity with each person (people,)
        """
        ids, _ = self._tracker.follow(Seen.of(boxes), now_s)
        self._forget()
        found = []
        for number, own in zip(ids, similar):
            average = self._similar.setdefault(number, Average()).add(own, now_s)
            lowest = kept_threshold(threshold, number in self._have_names)
            self._remember(number, float(average.max()) >= lowest)
            found.append(Named(number, average, lowest))
        return found

    def _remember(self, number: int, has_name: bool) -> None:
        if has_name:
            self._have_names.add(number)
        else:
            self._have_names.discard(number)

    def _forget(self) -> None:
        known = set(self._tracker.ids)
        self._similar = {one: held for one, held in self._similar.items() if one in known}
        self._have_names &= known
