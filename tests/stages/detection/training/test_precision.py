"""Average precision and thresholds, on cases that can be computed by hand."""

import numpy as np

from stages.detection.training import _precision
from stages.detection.training._matching import Boxes
from stages.tasks.boxes import Detections

HERE, THERE = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]


def _found(*pairs):
    boxes, scores = zip(*pairs, strict=True) if pairs else ((), ())
    shaped = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(shaped, np.float32(scores), np.zeros(len(pairs), np.int64))


def _truth(*boxes, ignored=()):
    shaped = np.array(boxes, np.float32).reshape(-1, 4)
    flags = np.array(ignored or [False] * len(boxes), bool)
    return Boxes(shaped, np.zeros(len(boxes), np.int64), flags)


def test_all_objects_and_nothing_else_is_a_precision_of_one():
    found = [_found((HERE, 0.9), (THERE, 0.8))]
    assert _precision.mean(found, [_truth(HERE, THERE)], 1) == 1


def test_a_false_detection_between_two_right_ones_costs_a_part():
    found = [_found((HERE, 0.9), ([0, 0.6, 0.1, 0.7], 0.8), (THERE, 0.7))]
    assert _precision.mean(found, [_truth(HERE, THERE)], 1) == np.mean([1, 2 / 3])


def test_a_second_detection_of_an_object_is_false():
    _, right, objects = _precision.marked([_found((HERE, 0.9), (HERE, 0.8))], [_truth(HERE)], 0)
    assert (right.tolist(), objects) == ([True, False], 1)


def test_detections_of_ignored_objects_do_not_count():
    truth = _truth(HERE, THERE, ignored=[False, True])
    scores, right, objects = _precision.marked([_found((HERE, 0.9), (THERE, 0.8))], [truth], 0)
    assert (len(scores), right.tolist(), objects) == (1, [True], 1)


def test_a_class_that_is_not_there_does_not_count():
    assert _precision.mean([_found((HERE, 0.9))], [_truth(HERE)], 3) == 1


def test_without_any_object_the_precision_is_zero():
    assert _precision.mean([_found()], [_truth()], 1) == 0


def test_the_threshold_lies_below_the_last_detection_that_helps():
    scores, right = np.float32([0.9, 0.8, 0.4]), np.array([True, True, False])
    assert _precision.threshold(scores, right, 2) == 0.6


def test_a_class_without_objects_has_a_middling_threshold():
    assert _precision.threshold(np.zeros(0, np.float32), np.zeros(0, bool), 0) == 0.5
