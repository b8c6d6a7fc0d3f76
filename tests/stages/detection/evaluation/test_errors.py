"""Each kind of error is distinguished from the others."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the extra 'train' is not installed")

from stages.detection.evaluation import _errors
from stages.detection.evaluation._average_precision import evaluate
from tests.stages.detection.truths import detections, truth

CAT = (0, 10, 10, 50, 50)
HIT = (0, 0.9, 10, 10, 50, 50)
THRESHOLDS = np.float32([0.5, 0.5])


def errors(boxes, *found):
    done = _errors.find(evaluate(truth([boxes]), [detections(*found)]), THRESHOLDS)
    return {kind: done.count(kind) for kind in _errors.KINDS if done.count(kind)}


def test_a_right_detection_is_no_error():
    assert errors([CAT], HIT) == {}


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        ([HIT, (0, 0.8, 12, 10, 50, 50)], {"duplicate": 1}),
        ([HIT, (0, 0.8, 60, 60, 90, 90)], {"background": 1}),
        ([(1, 0.8, 10, 10, 50, 50)], {"wrong_class": 1}),
        ([(0, 0.8, 10, 10, 50, 25)], {"poor_overlap": 1}),
        ([(1, 0.8, 10, 10, 50, 25)], {"both": 1, "missed": 1}),
        ([], {"missed": 1}),
        ([(0, 0.3, 10, 10, 50, 50)], {"missed": 1}),
    ],
    ids=[
        "duplicate",
        "background",
        "wrong class",
        "poor overlap",
        "both",
        "missed",
        "below the threshold",
    ],
)
def test_a_wrong_detection_has_one_kind(found, kinds):
    assert errors([CAT], *found) == kinds


def test_a_picture_without_true_boxes_has_only_background():
    assert errors([], HIT) == {"background": 1}


def test_what_is_found_in_an_ignored_box_is_no_error():
    assert errors([(*CAT, "ignored")], HIT, (0, 0.8, 12, 10, 50, 50)) == {}


def test_the_right_detections_and_the_unmatched_boxes_are_known():
    found = evaluate(truth([[CAT, (1, 60, 60, 90, 90)]]), [detections(HIT)])
    done = _errors.find(found, THRESHOLDS)
    assert (done.shown.tolist(), done.unmatched.tolist()) == ([0], [1])
