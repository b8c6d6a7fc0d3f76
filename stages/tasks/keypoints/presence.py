"""Decides whether a window shows anybody: compares its mean keypoint score with a threshold from the
training data. Says where the person is.

A pose model finds joints in every picture. Measured mean scores of MoveNet Lightning: 0.03 to 0.08 for
empty rooms, grey and noise; median 0.17 for objects and animals; yoga poses at least 0.20, half of them
above 0.60; a person exercising 0.68 to 0.73.
"""

from collections.abc import Sequence
from typing import Any, List, Optional

import numpy as np
from numpy.typing import NDArray

NOTHING = "nothing"  # the task's answer if a window shows nobody

MIN_SCORE = 0.2  # of a joint that is seen
_LEAST_JOINTS = 3  # seen joints from which they have a box

_PERCENTILE = 5  # not the minimum, because some training windows show nobody either
_SHARE = 0.5
_AT_MOST = 0.2  # scores of annotated or generated keypoints are higher than those of a pose model


def threshold(windows: "NDArray[np.float32]", labels: Sequence[str]) -> float:
    """Return the mean score below which a window shows nobody, from training windows.

    windows: (n, window, joints, 3). It is 0 if the user has an activity called `nothing`.
    """
    if NOTHING in labels:
        return 0.0
    low = float(np.percentile(_mean_scores(windows), _PERCENTILE))
    return round(min(_SHARE * low, _AT_MOST), 4)


def shows_nobody(
    windows: "NDArray[np.float32]", constants: "dict[str, Any]"
) -> "NDArray[np.bool_]":
    """Return whether the mean score of each window (n, window, joints, 3) is below the threshold.

    Packages without `nothing_below` have no threshold.
    """
    below: NDArray[np.bool_] = _mean_scores(windows) < constants.get("nothing_below", 0.0)
    return below


def box(keypoints: "NDArray[Any]") -> Optional[List[float]]:
    """Return top, left, bottom, right of the seen joints of (joints, 3) x, y, score; None if few are seen."""
    seen = keypoints.reshape(-1, 3)
    seen = seen[seen[:, 2] > MIN_SCORE]
    if len(seen) < _LEAST_JOINTS:
        return None
    low, high = seen[:, :2].min(0), seen[:, :2].max(0)
    return [round(float(one), 1) for one in (low[1], low[0], high[1], high[0])]


def _mean_scores(windows: "NDArray[np.float32]") -> "NDArray[np.float32]":
    scores: NDArray[np.float32] = windows[..., 2].mean((1, 2))
    return scores
