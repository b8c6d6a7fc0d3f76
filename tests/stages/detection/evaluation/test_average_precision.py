"""Average precision, on boxes that can be checked by hand, and against other ways to compute it."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the extra 'train' is not installed")

from stages.detection.evaluation._average_precision import evaluate
from tests.stages.detection.truths import crowded, detections, truth

ONE = [(0, 10, 10, 50, 50)]
HIT = (0, 0.9, 10, 10, 50, 50)
NOWHERE = (0, 0.95, 60, 60, 90, 90)


def test_a_perfect_detector_has_an_average_precision_of_one():
    found = evaluate(truth([ONE, []]), [detections(HIT), detections()])
    assert (found.map50, found.map) == (1, 1)


def test_nothing_found_is_zero():
    found = evaluate(truth([ONE]), [detections()])
    assert (found.map50, found.map) == (0, 0)


def test_a_surer_wrong_detection_halves_the_precision():
    found = evaluate(truth([ONE]), [detections(NOWHERE, HIT)])
    assert found.map50 == pytest.approx(0.5)


def test_a_box_that_overlaps_by_two_thirds_counts_at_a_half_but_not_at_three_quarters():
    found = evaluate(truth([ONE]), [detections((0, 0.9, 10, 10, 50, 37))])
    assert found.map50 == 1
    assert found.map == pytest.approx(0.4)  # 0.5, 0.55, 0.6, 0.65 of ten overlaps


def test_a_class_without_a_true_box_does_not_count():
    found = evaluate(truth([ONE]), [detections(HIT, (1, 0.9, 60, 60, 90, 90))])
    assert found.map50 == 1
    assert np.isnan(found.of_class(1)[0])


def test_without_any_true_box_there_is_no_figure():
    found = evaluate(truth([[], []]), [detections(HIT), detections()])
    assert np.isnan(found.map50) and np.isnan(found.map)


def test_an_ignored_box_need_not_be_found_and_excuses_what_is_found_in_it():
    crowd = (0, 60, 60, 90, 90, "ignored")
    missed = evaluate(truth([[*ONE, crowd]]), [detections(HIT)])
    inside = evaluate(truth([[*ONE, crowd]]), [detections(NOWHERE, HIT)])
    assert missed.map50 == inside.map50 == 1
    assert inside.ignored.tolist() == [True, False]


def test_sizes_are_those_of_the_original_picture():
    photo = truth([ONE], size=(100, 100)), truth([[(0, 100, 100, 500, 500)]], size=(1000, 1000))
    small, large = (evaluate(one, [detections(HIT)]) for one in photo)
    assert small.of_size("medium")[0] == large.of_size("large")[0] == 1
    assert np.isnan(small.of_size("large")[0]) and np.isnan(large.of_size("medium")[0])


def test_each_detection_knows_its_true_box():
    found = evaluate(
        truth([[], [(1, 0, 0, 20, 20), *ONE]]), [detections(HIT), detections(NOWHERE, HIT)]
    )
    assert found.matched.tolist() == [-1, -1, 1]


def test_equal_weights_of_pictures_give_the_librarys_figure():
    found = evaluate(*crowded())
    assert 0.1 < found.map50 < 0.9
    weights = np.ones((1, len(found.truth)))
    assert found.weighted_map50(weights) == pytest.approx([found.map50], abs=1e-9)


def test_a_picture_of_weight_two_counts_like_its_copy():
    boxes, each = crowded(pictures=4)
    names = [*boxes.names, "copy.jpg"]
    last = boxes.of(3)
    copied = type(boxes)(
        boxes=np.concatenate([boxes.boxes, last.boxes]),
        classes=np.concatenate([boxes.classes, last.classes]),
        pictures=np.concatenate([boxes.pictures, last.pictures + 4]),
        ignored=np.concatenate([boxes.ignored, last.ignored]),
        labels=boxes.labels,
        names=names,
        sizes=[*boxes.sizes, *last.sizes],
    )
    weighted = evaluate(boxes, each).weighted_map50(np.array([[1.0, 1, 1, 2]]))
    assert weighted == pytest.approx([evaluate(copied, [*each, each[3]]).map50], abs=1e-9)


def test_the_same_detections_give_the_same_figures():
    one, other = (evaluate(*crowded(3)) for _ in range(2))
    assert one.precision.tobytes() == other.precision.tobytes()


def test_the_library_prints_nothing(capsys):
    evaluate(truth([ONE]), [detections(HIT)])
    assert capsys.readouterr().out == ""
