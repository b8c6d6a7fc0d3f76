"""Follows objects from frame to frame, so that each keeps its number while it is seen, and for a second
while it is not. Numpy only.

Source: Zhang et al., ByteTrack: multi-object tracking by associating every detection box, 2022
(detections of low score continue tracks, but start none); Yang et al., Hard to track objects with
irregular motions and similar appearances? Make it easier by buffering the matching space, 2023 (boxes
are grown where nothing overlaps). Motion is in `stages.tasks.motion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple

import numpy as np

from stages.tasks import boxes
from stages.tasks.assignment import assigned
from stages.tasks.motion import Motion, centred, larger

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_S = 1.0  # a lost object keeps its number for this long
_LONGEST_PAUSE_S = 3.0  # between two frames, after which nothing is the same object
_SLACK_S = 1e-3  # times are rounded
# Overlap at least of a predicted box with a detection of full score, and of low score (ByteTrack's)
_OVERLAP, _OVERLAP_OF_WEAK = 0.2, 0.5
_GROWN = 0.3  # sides by which boxes without a partner are grown
_SIMILAR = 3.0  # ratio at most of the sides of two boxes of the same object


@dataclass(frozen=True)
class Seen:
    """The detections of one frame."""

    boxes: NDArray[Any]  # (n, 4) top, left, bottom, right in pixels
    kinds: NDArray[np.int64]  # (n,) a track consists of detections of one kind

    @classmethod
    def of(cls, boxes: Any, kinds: Any = None) -> Seen:
        """Return detections from lists; without kinds, all are of the same."""
        found = np.asarray(boxes, np.float64).reshape(-1, 4)
        return cls(found, np.zeros(len(found), np.int64) if kinds is None else np.asarray(kinds))

    def __len__(self) -> int:
        return len(self.boxes)

    def at(self, chosen: NDArray[Any]) -> Seen:
        """Return the detections where a mask is true."""
        return Seen(self.boxes[chosen], self.kinds[chosen])


class Tracker:
    """The objects of one clip."""

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._motion = Motion()
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._kinds: NDArray[np.int64] = np.zeros(0, np.int64)
        self._seen_s: NDArray[np.float64] = np.zeros(0)  # when each was seen last
        self._sure_s: NDArray[np.float64] = np.zeros(0)  # the same, without weak detections
        self._now_s: Optional[float] = None
        self._count = 0

    @property
    def ids(self) -> List[int]:
        """Return the numbers of the objects that are remembered."""
        return [int(one) for one in self._ids]

    def follow(
        self, seen: Seen, now_s: float, weak: Optional[Callable[[], Seen]] = None
    ) -> Tuple[List[int], List[Tuple[int, int]]]:
        """Return the number of each detection of a frame; and the rows of weak detections that continue
        an object, each with its number. These do so for as long as an object is remembered.

        now_s: the time of the frame, not before the last one's
        weak:  returns detections of low score; called only if an object is missing
        """
        now_s = self._advance(now_s)
        is_free = np.ones(len(self._ids), bool)
        found = self._paired(seen, is_free, _OVERLAP)
        recovered = []
        if weak is not None and is_free.any():
            others = weak()
            tracks = self._paired(others, is_free, _OVERLAP_OF_WEAK)
            self._correct(tracks, others, now_s)
            recovered = [(row, int(self._ids[at])) for row, at in enumerate(tracks) if at >= 0]
        is_left = found < 0
        found[is_left] = self._paired(seen.at(is_left), is_free, 0.0, _GROWN)
        self._correct(found, seen, now_s)
        self._sure_s[found[found >= 0]] = now_s
        found[found < 0] = self._started(seen.at(found < 0), now_s)
        ids = [int(one) for one in self._ids[found]]
        self._forget(now_s - self._memory_s)
        return ids, recovered

    def _advance(self, now_s: float) -> float:
        """Predict all tracks at this time, and return it; it does not go back."""
        last_s = now_s if self._now_s is None else self._now_s
        self._now_s = max(now_s, last_s)
        self._motion.advance(self._now_s - last_s, self._seen_s < last_s)
        self._forget(self._now_s - self._memory_s - _LONGEST_PAUSE_S)
        return self._now_s

    def _paired(
        self, seen: Seen, is_free: NDArray[np.bool_], least: float, grown: float = 0.0
    ) -> NDArray[np.int64]:
        """Return the track of each detection, or -1; tracks (n,) that get one are no longer free.

        least: overlap of a detection with the predicted box; grown: by how many sides both are larger
        """
        found = np.full(len(seen), -1)
        tracks = np.flatnonzero(is_free)
        overlaps = boxes.overlap(larger(seen.boxes, grown), self._motion.boxes(grown)[tracks])
        fits = (overlaps > least) & (seen.kinds[:, None] == self._kinds[tracks])
        if grown:
            fits &= self._are_similar(seen, tracks)
        for row, column in assigned(np.where(fits, overlaps, 0.0)):
            found[row] = tracks[column]
        is_free[found[found >= 0]] = False
        return found

    def _are_similar(self, seen: Seen, tracks: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether each detection (n) has about the size of each track (m)."""
        ratios = centred(seen.boxes)[:, None, 2:] / self._motion.place[tracks, 2:]
        return ((ratios < _SIMILAR) & (ratios > 1 / _SIMILAR)).all(-1)  # type: ignore[no-any-return]

    def _correct(self, found: NDArray[np.int64], seen: Seen, now_s: float) -> None:
        """Correct the tracks of detections by these."""
        rows = np.flatnonzero(found >= 0)
        self._motion.correct(found[rows], seen.boxes[rows])
        self._seen_s[found[rows]] = now_s

    def _started(self, seen: Seen, now_s: float) -> NDArray[np.int64]:
        """Start a track for each detection, and return its index."""
        first, count = len(self._ids), len(seen)
        numbers = self._count + 1 + np.arange(count)
        self._count += count
        self._motion.add(seen.boxes)
        self._ids = np.concatenate([self._ids, numbers])
        self._kinds = np.concatenate([self._kinds, seen.kinds])
        self._seen_s = np.concatenate([self._seen_s, np.full(count, now_s)])
        self._sure_s = np.concatenate([self._sure_s, np.full(count, now_s)])
        return first + np.arange(count)

    def _forget(self, before_s: float) -> None:
        """Drop the tracks that were seen last before this time; weak detections do not count."""
        is_kept = self._sure_s >= before_s - _SLACK_S
        if is_kept.all():
            return
        self._motion.keep(is_kept)
        self._ids, self._kinds = self._ids[is_kept], self._kinds[is_kept]
        self._seen_s, self._sure_s = self._seen_s[is_kept], self._sure_s[is_kept]
