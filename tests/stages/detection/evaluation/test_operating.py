"""What a threshold lets through."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the extra 'train' is not installed")

from stages.detection.evaluation import _operating
from stages.detection.evaluation._average_precision import evaluate
from tests.stages.detection.truths import detections, truth

TRUE = [(0, 10, 10, 50, 50), (0, 60, 60, 90, 90)]
FOUND = [
    (0, 0.9, 10, 10, 50, 50),
    (0, 0.6, 60, 60, 90, 90),
    (0, 0.4, 0, 60, 30, 90),
]


@pytest.fixture
def found():
    return evaluate(truth([TRUE]), [detections(*FOUND)])


def test_precision_recall_and_f1_are_those_above_the_threshold(found):
    own = _operating.counts(found, 0, [0.95, 0.8, 0.5, 0.1])
    assert own.recall.tolist() == [0, 0.5, 1, 1]
    assert own.precision[1:].tolist() == pytest.approx([1, 1, 2 / 3])
    assert np.isnan(own.precision[0])
    assert own.f1.tolist() == pytest.approx([0, 2 / 3, 1, 0.8])


def test_a_score_equal_to_the_threshold_is_above_it(found):
    assert _operating.counts(found, 0, 0.6).detected == 2


def test_the_classes_are_counted_together():
    boxes = truth([[*TRUE, (1, 0, 60, 30, 90)]])
    found = evaluate(boxes, [detections(*FOUND, (1, 0.7, 0, 60, 30, 90))])
    pooled = _operating.all_counts(found, np.float32([0.1, 0.1]))
    assert (pooled.right, pooled.detected, pooled.wanted) == (3, 4, 3)
