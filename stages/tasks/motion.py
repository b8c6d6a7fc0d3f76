"""Predicts where boxes are at a later time: a Kalman filter with constant velocity for each of their
centre and size. Numpy only.

Source: Bewley et al., Simple online and realtime tracking, 2016; Wojke et al., Simple online and
realtime tracking with a deep association metric, 2017 (noise in proportion to the height). Here, the
four values are filtered independently and in seconds, since the frame rate of a device varies. Only
basic arithmetic is used, which gives the same bits on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

# Standard deviations as shares of the box's height; for centre y, centre x, height, width.
_MEASURED = np.array([0.05, 0.05, 0.08, 0.08])  # of a detection
_FIRST_SPEED = np.array([1.5, 1.5, 0.3, 0.3])  # of an object that just appeared, per second
_PUSHED = np.array([0.6, 0.6, 0.2, 0.2])  # change of the speed in a second
_COASTING_S = 1.0  # an object that is not seen loses half of its speed in this time
_SMALLEST = 1.0  # side of a box, in pixels


class Motion:
    """The places and speeds of n boxes."""

    def __init__(self) -> None:
        self.place: Values = np.zeros((0, 4))  # centre y, centre x, height, width in pixels
        self.speed: Values = np.zeros((0, 4))  # pixels a second
        self._pp: Values = np.zeros((0, 4))  # variance of the place
        self._pv: Values = np.zeros((0, 4))  # covariance of place and speed
        self._vv: Values = np.zeros((0, 4))  # variance of the speed

    def __len__(self) -> int:
        return len(self.place)

    def add(self, boxes: NDArray[Any]) -> None:
        """Add boxes (n, 4) that were just seen for the first time."""
        place = centred(boxes)
        height = place[:, 2:3]
        new = {
            "place": place,
            "speed": np.zeros_like(place),
            "_pp": (_MEASURED * height) ** 2,
            "_pv": np.zeros_like(place),
            "_vv": (_FIRST_SPEED * height) ** 2,
        }
        for name, values in new.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))

    def keep(self, chosen: NDArray[Any]) -> None:
        """Keep the boxes with these indexes, or where a mask is true."""
        for name in ("place", "speed", "_pp", "_pv", "_vv"):
            setattr(self, name, getattr(self, name)[chosen])

    def advance(self, seconds: float, is_unseen: NDArray[np.bool_]) -> None:
        """Move all boxes on; those that are unseen (n,) slow down and keep their size."""
        pushed = (_PUSHED * self.place[:, 2:3]) ** 2
        self.place += self.speed * seconds
        self.place[:, 2:] = np.maximum(self.place[:, 2:], _SMALLEST)
        self._pp += seconds * (2 * self._pv + seconds * (self._vv + pushed * seconds / 3))
        self._pv += seconds * (self._vv + pushed * seconds / 2)
        self._vv += pushed * seconds
        self.speed[is_unseen] *= _COASTING_S / (_COASTING_S + seconds)
        self.speed[is_unseen, 2:] = 0

    def correct(self, at: NDArray[np.intp], boxes: NDArray[Any]) -> None:
        """Correct the boxes with these indexes (m,) by their detections (m, 4)."""
        measured = (_MEASURED * self.place[at, 2:3]) ** 2
        total = self._pp[at] + measured
        gain, gain_of_speed = self._pp[at] / total, self._pv[at] / total
        error = centred(boxes) - self.place[at]
        self.place[at] += gain * error
        self.place[at, 2:] = np.maximum(self.place[at, 2:], _SMALLEST)
        self.speed[at] += gain_of_speed * error
        self._vv[at] -= gain_of_speed * self._pv[at]
        self._pp[at] *= 1 - gain
        self._pv[at] *= 1 - gain

    def boxes(self, grown: float = 0.0) -> Values:
        """Return the predicted boxes (n, 4): top, left, bottom, right.

        grown: by how many sides each is larger, at each end; and by the deviation of its place
        """
        halves = self.place[:, 2:] / 2
        if grown:
            halves = halves + np.minimum(np.sqrt(self._pp[:, :2]), self.place[:, 2:])
        found = np.concatenate([self.place[:, :2] - halves, self.place[:, :2] + halves], 1)
        return larger(found, grown)


def centred(boxes: NDArray[Any]) -> Values:
    """Return boxes (n, 4) of top, left, bottom, right as centre y, centre x, height, width."""
    found = np.asarray(boxes, np.float64).reshape(-1, 4)
    sides = np.maximum(found[:, 2:] - found[:, :2], _SMALLEST)
    return np.concatenate([(found[:, :2] + found[:, 2:]) / 2, sides], 1)


def larger(boxes: NDArray[Any], share: float) -> NDArray[Any]:
    """Return boxes (n, 4) that are larger by a share of their sides, at each end."""
    added = share * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - added, boxes[:, 2:] + added], 1)
