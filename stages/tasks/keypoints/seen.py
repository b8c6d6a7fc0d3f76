"""MoveNet's outputs for a frame that an accelerator saw itself, as keypoints in the frame's pixels.

The CPU's MoveNet sees a crop that follows the person (`movenet`); an accelerator sees the same region of
every frame, and may return the heads of the network instead of keypoints (`heads`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from stages.tasks.keypoints import heads
from stages.tasks.region import points_in
from stages.tasks.signature import ANY, Needs, check_seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.region import Region

MOVENET = Needs("MoveNet", {ANY: (1, 1, 17, 3)})


def keypoints(
    outputs: Mapping[str, NDArray[Any]], size: tuple[int, ...], region: Region
) -> NDArray[np.float32]:
    """Return (17, 3) x, y, score, x and y in pixels of a frame.

    outputs: MoveNet's values by name: keypoints (1, 1, 17, 3) as y, x, score, x and y in 0 to 1; or its
             heads, as in `heads.decode`
    size: height and width of the frame; region: the part of it that MoveNet saw

    StageError: the outputs are not MoveNet's.
    """
    found = _decoded(outputs)
    y, x = (points_in(found[:, :2], region) * np.float32(size)).T
    return np.stack([x, y, found[:, 2]], axis=1).astype(np.float32)


def _decoded(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return (17, 3) y, x, score, y and x as shares of what MoveNet saw."""
    if heads.are_heads(outputs):
        return heads.decode(outputs)
    check_seen("activity", MOVENET, outputs, {})
    (found,) = outputs.values()
    return found[0, 0]  # type: ignore[no-any-return]
