"""Finds near-duplicate pictures, so that the test part has no copy of a training picture.

Pictures are compared as small grey thumbnails by their normalised cross-correlation (Lewis, "Fast
Normalized Cross-Correlation", 1995), which hardly depends on size, format and brightness. On photos,
hand signs and the sample, copies correlate by at least 0.996 and different pictures by at most 0.96.
Hashes of 64 or 256 bits mistake noise on a plain background for a different picture.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 16  # of a thumbnail
LEAST = 0.985  # minimum correlation of near-duplicates
_ROWS = 1024  # compared with all others at a time; limits the memory


def thumbnail(picture: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    """Return an RGB picture (h, w, 3) as a unit vector (256,): grey values minus their mean."""
    from stages.media.scaling import resized

    small = resized(np.ascontiguousarray(picture), SIDE, SIDE).astype(np.float32)
    grey = (small @ np.array([0.299, 0.587, 0.114], np.float32)).ravel()  # luma of BT.601
    around = grey - grey.mean()
    length = float(np.linalg.norm(around))
    if length < 1e-3:  # a single colour: all such pictures are alike
        return np.full(SIDE * SIDE, 1 / SIDE, np.float32)
    return (around / length).astype(np.float32)  # type: ignore[no-any-return]


def groups(
    thumbnails: "NDArray[np.float32]", *further: "NDArray[np.float32]", least: float = LEAST
) -> "NDArray[np.int64]":
    """Return a group number per thumbnail (n, 256): equal if a chain of near-duplicates links them.

    further: thumbnails of other parts of the same pictures, which must be near-duplicates too
    least:   minimum correlation of near-duplicates
    """
    views = thumbnails, *further
    group = np.arange(len(thumbnails))
    for start in range(0, len(thumbnails), _ROWS):
        near = [one[start : start + _ROWS] @ one[start:].T >= least for one in views]
        for row in np.logical_and.reduce(near):
            found = group[start:][row]
            if (found != found[0]).any():  # else they are already one group
                group[np.isin(group, found)] = found.min()
    return group
