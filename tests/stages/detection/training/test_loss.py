"""The loss of detectors: what it is zero for, and in which direction it pulls scores and boxes."""

import importlib.util

import numpy as np
import pytest

from stages.tasks import boxes

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

SCALES = (10.0, 10.0, 5.0, 5.0)
ANCHORS = np.float32([[0.5, 0.5, 0.4, 0.4], [0.2, 0.2, 0.2, 0.2]])
OBJECT = np.float32([[0.3, 0.3, 0.7, 0.7]])  # the box of the first anchor
CLASSES = np.float32([[[1, 0], [0, 0]]])  # (1, anchors, classes)
POSITIVE = np.float32([[1, 0]])
EVERY = np.ones((1, 2), np.float32)


def _loss_and_slopes(box, logits, weight=EVERY):
    """Return the loss of a box for the first anchor, and its slopes in offsets and logits."""
    import tensorflow as tf

    from stages.detection.training._loss import Loss

    offsets = np.zeros((1, 2, 4), np.float32)
    offsets[0, 0] = boxes.encode(np.float32([box]), ANCHORS[:1], SCALES)[0]
    wanted = np.zeros((1, 2, 4), np.float32)
    wanted[0, 0] = boxes.encode(OBJECT, ANCHORS[:1], SCALES)[0]
    found = tf.Variable(offsets), tf.Variable(np.float32(logits))
    with tf.GradientTape() as tape:
        value = Loss(ANCHORS, SCALES)(found, CLASSES, weight, wanted, POSITIVE)
    return float(value), *(one.numpy() for one in tape.gradient(value, found))


SURE = [[[20.0, -20], [-20, -20]]]


def test_a_sure_and_exact_answer_costs_nothing():
    value, _, logits = _loss_and_slopes(OBJECT[0], SURE)
    assert value == pytest.approx(0, abs=1e-4)
    assert np.abs(logits).max() < 1e-4


def test_the_score_of_a_poorly_placed_box_is_pulled_down_to_its_overlap():
    shifted = [0.3, 0.45, 0.7, 0.85]  # overlaps the object by 0.25 / 0.55
    overlap = float(boxes.overlap(np.float32([shifted]), OBJECT)[0, 0])
    at_overlap = float(np.log(overlap / (1 - overlap)))
    for logit, sign in ((at_overlap + 1, 1), (at_overlap - 1, -1)):
        slope = _loss_and_slopes(shifted, [[[logit, -20], [-20, -20]]])[2][0, 0, 0]
        assert np.sign(slope) == sign


def test_a_box_is_pulled_towards_an_object_that_it_does_not_touch():
    beyond = [0.3, 0.8, 0.7, 1.2]
    slopes = _loss_and_slopes(beyond, SURE)[1]
    assert slopes[0, 0, 1] > 0  # moving it to the left lowers the loss
    assert not slopes[0, 1].any()  # an anchor without an object has no box


def test_an_anchor_of_weight_zero_teaches_no_score():
    weight = np.float32([[1, 0]])
    slopes = _loss_and_slopes(OBJECT[0], [[[0.0, 0], [3, 3]]], weight)[2]
    assert slopes[0, 0].all() and not slopes[0, 1].any()


def test_the_loss_of_a_box_is_one_minus_the_generalised_overlap():
    shifted = [0.3, 0.5, 0.7, 0.9]  # shared 0.4 x 0.2, union 0.24, around 0.4 x 0.6
    from stages.detection.training._loss import BOX_WEIGHT

    value = _loss_and_slopes(shifted, [[[0.0, -20], [-20, -20]]])[0]
    score = (1 / 3 - 0.5) ** 2 * np.log(2)
    assert value == pytest.approx(BOX_WEIGHT * (1 - 1 / 3) + score, abs=1e-4)
