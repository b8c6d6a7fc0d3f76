"""What y may be, and which task it suggests."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.custom._targets import targets

ONE_HOT = np.eye(3)[[0, 1, 2, 2]]


@pytest.mark.parametrize(
    ("y", "labels", "numbers"),
    [
        (["cat", "dog", "cat"], ("cat", "dog"), [0, 1, 0]),
        (np.array(["cat", "dog", "cat"], object), ("cat", "dog"), [0, 1, 0]),
        ([3, 7, 3], ("3", "7"), [0, 1, 0]),
        ([0.0, 1.0, 1.0], ("0", "1"), [0, 1, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([[3], [7], [3]], ("3", "7"), [0, 1, 0]),
        (ONE_HOT, ("0", "1", "2"), [0, 1, 2, 2]),
    ],
)
def test_classes_are_numbered_in_the_order_of_their_names(y, labels, numbers):
    found = targets(y, y, None)
    assert (found.task, found.labels, found.train.tolist()) == ("classify", labels, numbers)


@pytest.mark.parametrize("y", [[0.5, 1.0, 2.0], list(range(30)), [1.5, 2.5, 3.5]])
def test_many_or_broken_numbers_are_amounts(y):
    found = targets(y, y, None)
    assert (found.task, found.train.tolist(), found.labels) == ("regress", y, ())


def test_the_user_decides():
    assert targets([1, 2, 2], [1, 2], "regress").train.tolist() == [1, 2, 2]
    assert targets(list(range(30)), [1], "classify").labels[:2] == ("0", "1")


def test_a_series_gives_the_target_its_name():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.5, 2.5, 3.5], name="price")
    assert targets(series, series, None).name == "price"
    assert targets([1.5, 2.5], [1.5], None).name == "y"


@pytest.mark.parametrize(
    ("y", "y_test", "task", "word"),
    [
        ([1, 1], [1], None, "one class"),
        (["a", "b"], ["c"], None, "lacks: c"),
        (["a", "b"], ["a"], "regress", "text"),
        ([1.0, np.nan], [1.0], None, "1 missing"),
        (["a", None], ["a"], None, "mixes text"),
        ([1.5, np.inf, 3], [1.5], "regress", "infinite"),
        ([[1, 2], [3, 4]], [[1, 2]], None, "one-hot"),
        (ONE_HOT, [0], None, "columns"),
        ([], [], None, "no values"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), None, "one value per example"),
        (list(range(2000)), [1], "classify", "2,000"),
        (["a\nb", "c"], ["c"], None, "line break"),
    ],
)
def test_anything_else_is_refused(y, y_test, task, word):
    with pytest.raises(StageError, match=word):
        targets(y, y_test, task)
