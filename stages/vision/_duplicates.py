"""Finds pictures that are nearly the same, so that none of them is trained on and another tested.

Pictures are compared as small grey thumbnails by their normalised cross-correlation (Lewis, "Fast
Normalized Cross-Correlation", 1995), which other sizes, formats and brightnesses hardly change. On
photos, hand signs and the sample, copies reach 0.996 and different pictures 0.96; hashes of 64 or
256 bits take noise on a plain background for another picture.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 16  # of a thumbnail
LEAST = 0.985  # the correlation of near-duplicates
_ROWS = 1024  # compared with all others at once, which bounds the memory


def thumbnail(picture: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    """Return an RGB picture (h, w, 3) as a vector (256,) of length 1: grey values around their mean."""
    from stages.media.scaling import resized

    small = resized(np.ascontiguousarray(picture), SIDE, SIDE).astype(np.float32)
    grey = (small @ np.array([0.299, 0.587, 0.114], np.float32)).ravel()  # luma of BT.601
    around = grey - grey.mean()
    length = float(np.linalg.norm(around))
    if length < 1e-3:  # one colour: like any other
        return np.full(SIDE * SIDE, 1 / SIDE, np.float32)
    return (around / length).astype(np.float32)  # type: ignore[no-any-return]


def groups(thumbnails: "NDArray[np.float32]") -> "NDArray[np.int64]":
    """Return a number for each thumbnail (n, 256): the same where a chain of near ones connects them."""
    group = np.arange(len(thumbnails))
    for start in range(0, len(thumbnails), _ROWS):
        near = thumbnails[start : start + _ROWS] @ thumbnails[start:].T >= LEAST
        for row in near:
            found = group[start:][row]
            if (found != found[0]).any():  # else they are one group already
                group[np.isin(group, found)] = found.min()
    return group
