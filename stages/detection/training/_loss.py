"""The loss of a single-shot detector: quality focal loss of the scores, generalised overlap of the boxes.

A score learns how much its box overlaps the object, so that of several boxes the one that fits best
has the highest score; with plain focal loss, a box around two objects scores as high.

Sources: Li et al., Generalized Focal Loss, 2020, section 3; Rezatofighi et al., Generalized
Intersection over Union, 2019.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOCUS = 2.0  # exponent of a score's error: anchors that are right weigh less
BOX_WEIGHT = 2.0  # as in the paper
LARGEST = 6.0  # logarithm of a decoded side, relative to its anchor: avoids an overflow


class Loss:
    """Computes the loss of a batch, per anchor that has an object."""

    def __init__(self, anchors: "NDArray[np.float32]", scales: Sequence[float]) -> None:
        """anchors (anchors, 4) and the scales of the offsets, as in stages.tasks.boxes."""
        self._anchors, self._scales = tf.constant(anchors), tf.constant(scales, tf.float32)

    def __call__(self, outputs: Any, classes: Any, weight: Any, offsets: Any, positive: Any) -> Any:
        """Return the loss, a scalar.

        outputs: offsets (n, anchors, 4) and logits (n, anchors, classes); the others as in Targets
        """
        found, logits = outputs
        overlap, generalised = _overlaps(self._corners(found), self._corners(offsets))
        wanted = classes * tf.stop_gradient(overlap)[..., None]
        scores = tf.reduce_sum(_quality_focal(logits, wanted) * weight[..., None])
        places = tf.reduce_sum((1 - generalised) * positive)
        return (scores + BOX_WEIGHT * places) / tf.maximum(tf.reduce_sum(positive), 1.0)

    def _corners(self, offsets: Any) -> tuple[Any, Any]:
        """Return the upper left and the lower right corners (n, anchors, 2) of decoded boxes."""
        shares, sides = offsets / self._scales, self._anchors[:, 2:]
        centres = self._anchors[:, :2] + shares[..., :2] * sides
        halves = sides * tf.exp(tf.clip_by_value(shares[..., 2:], -LARGEST, LARGEST)) / 2
        return centres - halves, centres + halves


def _quality_focal(logits: Any, wanted: Any) -> Any:
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)
    return entropy * tf.abs(wanted - tf.sigmoid(logits)) ** FOCUS


def _overlaps(some: tuple[Any, Any], others: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the intersection over union (n, anchors) of each pair of boxes, and the generalised one."""
    (start, end), (other_start, other_end) = some, others
    shared = _area(tf.minimum(end, other_end) - tf.maximum(start, other_start))
    union = _area(end - start) + _area(other_end - other_start) - shared
    around = _area(tf.maximum(end, other_end) - tf.minimum(start, other_start))
    overlap = shared / tf.maximum(union, 1e-9)
    return overlap, overlap - (around - union) / tf.maximum(around, 1e-9)


def _area(sides: Any) -> Any:
    positive = tf.maximum(sides, 0)
    return positive[..., 0] * positive[..., 1]
