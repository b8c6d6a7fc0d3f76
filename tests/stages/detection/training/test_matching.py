"""Which anchors learn which box."""

import numpy as np

from stages.detection.training._matching import Boxes, Matcher
from stages.tasks import boxes

SCALES = (10.0, 10.0, 5.0, 5.0)
ANCHORS = np.float32([[0.25, 0.25, 0.4, 0.4], [0.75, 0.75, 0.4, 0.4], [0.78, 0.75, 0.4, 0.4]])


def _targets(corners, classes=(0,), ignored=(False,)):
    one = Boxes(np.float32(corners), np.array(classes), np.array(ignored))
    return Matcher(ANCHORS, 2, SCALES).batch([one])


def test_an_anchor_learns_the_box_that_it_overlaps_by_half():
    found = _targets([[0.55, 0.55, 0.95, 0.95]], (1,))
    assert found.positive[0].tolist() == [0, 1, 1]
    assert found.classes[0].tolist() == [[0, 0], [0, 1], [0, 1]]


def test_the_offsets_lead_from_the_anchors_to_the_box():
    box = [[0.5, 0.52, 0.97, 0.9]]
    found = _targets(box)
    rows = found.positive[0] > 0
    decoded = boxes.decode(found.offsets[0][rows], ANCHORS[rows], SCALES)
    np.testing.assert_allclose(decoded, np.repeat(box, rows.sum(), 0), atol=1e-5)


def test_a_box_unlike_all_anchors_is_learnt_by_the_nearest():
    found = _targets([[0.2, 0.2, 0.3, 0.3]])
    assert found.positive[0].tolist() == [1, 0, 0]


def test_between_object_and_background_nothing_is_learnt():
    found = _targets([[0.55, 0.55, 0.95, 0.95], [0.05, 0.23, 0.45, 0.63]], (0, 1), (False, False))
    assert found.positive[0].tolist() == [1, 1, 1]
    found = _targets([[0.44, 0.6, 0.84, 1.0]])
    assert (found.positive[0].tolist(), found.weight[0].tolist()) == ([0, 1, 0], [1, 1, 1])


def test_an_ignored_box_is_neither_object_nor_background():
    found = _targets([[0.05, 0.05, 0.45, 0.45]], ignored=(True,))
    assert not found.positive.any()
    assert found.weight[0].tolist() == [0, 1, 1]


def test_a_picture_without_a_box_is_all_background():
    found = _targets(np.zeros((0, 4)), (), np.zeros(0, bool))
    assert found.weight.all()
    assert not found.classes.any()


def test_the_recall_of_anchors_is_measured_by_the_best_overlap():
    best = Matcher(ANCHORS, 2, SCALES).best(
        np.float32([[0.05, 0.05, 0.45, 0.45], [0, 0, 0.1, 0.1]])
    )
    np.testing.assert_allclose(best, [1, 0.0156], atol=0.01)
