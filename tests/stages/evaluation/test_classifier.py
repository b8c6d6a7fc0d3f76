"""Figures from a confusion matrix, worked out by hand."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.evaluation import classifier

TRUTH, PREDICTED = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
DIFFERENCE = {"outputs_differ": 0.5, "max_step_difference": 2, "reference_bit_equal": False}


def test_confusion_has_the_truth_in_its_rows():
    matrix = classifier.confusion(TRUTH, PREDICTED, 3)
    assert matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_a_column_of_other_answers_counts_as_wrong():
    matrix = classifier.confusion(TRUTH, np.array([0, 2, 1, 2]), 2, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 1]]
    assert classifier.f1(matrix).tolist() == pytest.approx([2 / 3, 2 / 3])


def test_f1_of_a_class_that_is_nowhere_is_0():
    matrix = classifier.confusion(TRUTH, PREDICTED, 3)
    assert classifier.f1(matrix).tolist() == [0.5, 0.5, 0]


def test_what_cannot_be_said_of_a_class_is_none():
    matrix = np.array([[3, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert classifier.by_class(matrix) == [
        (0.75, 0.75, 0.75),
        (0.0, None, None),
        (None, 0.0, 0.0),
    ]


def test_the_metrics_are_those_of_the_matrix():
    found = classifier.metrics(
        np.array([[3, 1, 0], [0, 0, 0], [1, 0, 5]]), (0.5, 1), 0.9, 0.8, DIFFERENCE
    )
    wanted = {
        "accuracy": 0.8,
        "accuracy_low": 0.5,
        "accuracy_high": 1,
        "float_accuracy": 0.9,
        "accuracy_drop": 0.1,
        "accuracy_drop_beyond_one": 0.0,
        "f1_macro": (0.75 + 10 / 11) / 2,
        "correct": 8,
        "test_examples": 10,
        "majority_baseline": 0.6,
        "baseline_margin": 0.2,
        "untested_classes": 1,
        "accuracy_build": 0.8,
        "accuracy_delta": 0,
        "outputs_differ": 0.5,
        "max_step_difference": 2,
        "reference_bit_equal": 0,
    }
    assert found == pytest.approx(wanted)


def test_the_only_output_is_taken():
    scores = np.zeros((4, 2), np.float32)
    assert classifier.only_output({"a": scores}, 4, "a classifier", "clips") is scores


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"a": [0] * 4, "b": [0] * 4}, "a classifier must have one output, but this one has 2"),
        ({"a": [0] * 3}, "there are outputs for 3 clips, but 4 clips in the test part"),
    ],
)
def test_other_outputs_are_refused(outputs, said):
    with pytest.raises(StageError, match=said):
        classifier.only_output(outputs, 4, "a classifier", "clips")


def test_the_majority_baseline_is_named_if_it_is_as_good():
    matrix = np.array([[3, 0], [2, 0]])
    found = classifier.metrics(matrix, (0, 1), 0.6, 0.6, DIFFERENCE)
    assert classifier.untested(matrix, ["cat", "dog"]) == []
    assert classifier.no_better(found, matrix, ["cat", "dog"], "pictures") == [
        "an accuracy of 0.6000 is no better than always answering cat (0.6000): add pictures"
    ]
