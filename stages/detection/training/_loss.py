"""The loss of a single-shot detector: focal loss of the classes, smoothed L1 of the offsets.

Source: Lin et al., Focal Loss for Dense Object Detection, 2017.
"""

from typing import Any

import tensorflow as tf

GAMMA, ALPHA = 2.0, 0.25  # focus on hard anchors, and weight of objects against background
BOX_WEIGHT = 0.5


def loss(outputs: Any, classes: Any, weight: Any, offsets: Any, positive: Any) -> Any:
    """Return the loss of a batch for each of its objects' anchors.

    outputs: offsets (n, anchors, 4) and logits (n, anchors, classes); the others as in Targets
    """
    found, logits = outputs
    count = tf.maximum(tf.reduce_sum(positive), 1.0)
    objects = tf.reduce_sum(_focal(logits, classes) * weight[..., None])
    places = tf.reduce_sum(_smoothed(found - offsets) * positive[..., None])
    return (objects + BOX_WEIGHT * places) / count


def _focal(logits: Any, classes: Any) -> Any:
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(classes, logits)
    score = tf.sigmoid(logits)
    miss = classes * (1 - score) + (1 - classes) * score
    return entropy * miss**GAMMA * (classes * ALPHA + (1 - classes) * (1 - ALPHA))


def _smoothed(difference: Any) -> Any:
    size = tf.abs(difference)
    return tf.where(size < 1, 0.5 * size * size, size - 0.5)
