"""Decodes the heads of MoveNet single pose in numpy: an accelerator that runs only convolutions returns
them instead of keypoints.

The network is a CenterNet (Zhou et al., Objects as Points, 2019) on a feature map with a stride of 4:
the most central person is chosen, its centre predicts roughly where each joint is, the heatmap decides
near that place, and an offset refines it. Source: the model card of MoveNet, and the operators and
constants after the convolutions in movenet_single_pose_lightning_ptq.tflite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from engine.stage import StageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

JOINTS = 17
CENTRE, HEATMAP, OFFSET, REGRESSION = "center_0", "kpt_heatmap_0", "kpt_offset_0", "kpt_regress_0"
CHANNELS = {CENTRE: 1, HEATMAP: JOINTS, OFFSET: 2 * JOINTS, REGRESSION: 2 * JOINTS}
SOFTENING = 1.8  # cells added to a distance by which scores are divided


def are_heads(outputs: Mapping[str, Any]) -> bool:
    """Return whether these outputs are MoveNet's heads, by their names."""
    return CHANNELS.keys() <= outputs.keys()


def keypoints(heads: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> Array:
    """Return (17, 3) x, y, score in the pixels of a picture that the network saw stretched to its input.

    heads: as in `decode`; size: height and width of the picture in pixels
    """
    y, x, score = decode(heads).T
    return np.stack([x * size[1], y * size[0], score], axis=1).astype(np.float32)


def decode(heads: Mapping[str, NDArray[Any]]) -> Array:
    """Return (17, 3) y, x, score of the joints, in the order of COCO: y and x are 0 at the top and left
    of the network's input and 1 at its end.

    heads: by name, with or without a batch dimension of 1; lengths in cells of the feature map:
           center_0      (side, side, 1)   probability that a person's centre is in this cell
           kpt_heatmap_0 (side, side, 17)  probability that this joint is in this cell
           kpt_regress_0 (side, side, 34)  from a person's centre to each joint: y, x
           kpt_offset_0  (side, side, 34)  from this cell's corner to the joint in it: y, x

    StageError: the outputs are not these heads.
    """
    centre, heatmap, offset, regression = _checked(heads)
    side = len(heatmap)
    middle = np.array([side / 2, side / 2], np.float32)
    person = _highest(centre / (_distances(middle, side) + SOFTENING))[0]  # (2,)
    rough = person + regression[person[0], person[1]].reshape(JOINTS, 2)
    rows, columns = _highest(heatmap / (_distances(rough, side) + SOFTENING)).T
    joints = np.arange(JOINTS)
    fine = offset[rows, columns].reshape(JOINTS, JOINTS, 2)[joints, joints]
    places = (np.stack([rows, columns], axis=1) + fine) / side
    # The published model's numbers begin at 0: a joint above or left of its input is on its border.
    places = np.maximum(places, 0)
    scores = heatmap[rows, columns, joints]
    return np.concatenate([places, scores[:, None]], axis=1).astype(np.float32)


def _checked(heads: Mapping[str, NDArray[Any]]) -> list[Array]:
    """Return the four heads, each (side, side, channels)."""
    shapes = {name: tuple(np.shape(one)) for name, one in heads.items()}
    if are_heads(heads):
        found = [np.asarray(heads[name], np.float32) for name in CHANNELS]
        found = [one[0] if one.ndim == 4 else one for one in found]
        side = len(found[0])
        wanted = [(side, side, channels) for channels in CHANNELS.values()]
        if [one.shape for one in found] == wanted:
            return found
    named = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    raise StageError(
        f"the network's outputs are {named or 'none'}, not the heads of MoveNet ({', '.join(CHANNELS)}): "
        "convert the pose model again"
    )


def _distances(places: Array, side: int) -> Array:
    """Return the distance of each cell from places (n, 2) or (2,) in cells: (side, side, n)."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    to_y, to_x = np.atleast_2d(places).T
    distances: Array = np.hypot(y[..., None] - to_y, x[..., None] - to_x)
    return distances


def _highest(scores: Array) -> NDArray[np.int64]:
    """Return the row and the column of the highest score in each channel: (channels, 2)."""
    side, _, channels = scores.shape
    at = scores.reshape(-1, channels).argmax(axis=0)
    return np.stack(np.divmod(at, side), axis=1)
