"""Starts a detector from the published COCO detector: a `.tflite` file whose weights are dequantised."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError, note
from stages.detection._coco_names import NAMES
from stages.detection.training import _anchors, _network
from stages.training import tflite_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.detection.training._anchors import Shapes
    from stages.detection.training._matching import Boxes, Matcher
    from stages.detection.training._network import Detector

COLUMNS = (
    91  # of the COCO detector's scores: the background, and 90 numbers of which 80 are classes
)
SHOWN = 64  # training pictures with which the columns are chosen


def coco(path: Path, size: int) -> "Detector":
    """Return the COCO detector as a Keras network; its scores have COLUMNS classes.

    StageError: the file is another network.
    """
    found = _network.build("ssd_mobilenet_v1", size, COLUMNS, _anchors.coco_shapes())
    pairs = zip(found.box_heads, found.class_heads, strict=True)
    heads = [layer for pair in pairs for layer in pair]
    try:
        tflite_weights.load([*found.body, *heads], path)
    except (ValueError, OSError, StageError) as error:
        reason = str(error).partition("\n")[0]
        raise StageError(
            f"the file has no weights for a COCO SSD of MobileNetV1: {reason}; set assets.weights to "
            "coco_ssd"
        ) from None
    return found


def start(
    to: "Detector",
    source: "Detector",
    shapes: "Sequence[Shapes]",
    columns: Sequence[int],
) -> None:
    """Copy all layers; a class starts from one of the source's columns, a shape from the most similar one.

    shapes: of the detector that is started; columns: one for each of its classes
    """
    for layer, original in zip(to.body, source.body, strict=True):
        layer.set_weights(original.get_weights())
    for at, (of_map, coco_shapes) in enumerate(zip(shapes, _anchors.coco_shapes(), strict=True)):
        rows = [int(_anchors.distance(one, coco_shapes).argmin()) for one in of_map]
        _copy(to.box_heads[at], source.box_heads[at], rows, range(4), 4)
        _copy(to.class_heads[at], source.class_heads[at], rows, columns, COLUMNS)


def similar(
    source: "Detector",
    matcher: "Matcher",
    pictures: "NDArray[np.uint8]",
    truth: "Sequence[Boxes]",
    labels: Sequence[str],
) -> list[int]:
    """Return the column of the COCO detector that scores highest on the training boxes of each class.

    A kangaroo, for example, starts as a dog, and then needs few pictures to be told from it.

    matcher: for the source's anchors
    """
    logits: list[list[Any]] = [[] for _ in labels]
    for first in range(0, min(len(pictures), SHOWN), 8):
        rows = slice(first, min(first + 8, SHOWN))
        found = source.learner.predict_on_batch(pictures[rows].astype(np.float32))[1]
        targets = matcher.batch(truth[rows])
        for kind in range(len(labels)):
            logits[kind].append(found[targets.classes[..., kind] > 0])
    columns = [_highest(np.concatenate(of_class)) for of_class in logits]
    named = [f"{label} from {_named(at)}" for label, at in zip(labels, columns, strict=True)]
    note(f"initialised each class from the most similar COCO class: {', '.join(named)}")
    return columns


def _named(column: int) -> str:
    """Return the name of a column, or its number if COCO never used it."""
    return NAMES[column - 1] or f"column {column}"


def _highest(logits: "NDArray[np.float32]") -> int:
    """Return the column (n, COLUMNS) with the highest mean score; column 0 is the background."""
    if not len(logits):
        return 1
    scores = 1 / (1 + np.exp(-logits[:, 1:].astype(np.float64)))
    return 1 + int(scores.mean(0).argmax())


def _copy(layer: Any, original: Any, shapes: list[int], columns: Sequence[int], of: int) -> None:
    """Copy the channels of these shapes and columns of a 1x1 convolution with `of` columns for each shape."""
    kernel, bias = original.get_weights()
    ends = kernel.shape[:3]
    kernel = kernel.reshape(*ends, -1, of)[..., shapes, :][..., list(columns)]
    bias = bias.reshape(-1, of)[shapes][:, list(columns)]
    layer.set_weights([kernel.reshape(*ends, -1), bias.reshape(-1)])
