"""Confusion matrices: counts in cells, shades by row, and legibility with a hundred classes."""

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from engine.figures import confusion_matrix
from engine.figures.confusion_matrix import MOST_LISTED, MOST_NUMBERED, PITCH


def _tree(labels, matrix) -> ElementTree.Element:
    return ElementTree.fromstring(confusion_matrix.draw({"labels": labels, "matrix": matrix}))


def _diagonal(count: int) -> tuple[list[str], list[list[int]]]:
    rows = [[10 * (i == j) + (j == i + 1) * i for j in range(count)] for i in range(count)]
    return [f"class {i}" for i in range(count)], rows


def test_each_count_is_a_cell_in_its_row_and_column():
    cells = [
        one.text
        for one in _tree(["cat", "dog"], [[7, 1], [0, 1234]]).iter("text")
        if "cell-number" in one.get("class", "")
    ]
    assert cells == ["7", "1", "0", "1234"]


def test_the_shade_is_the_share_of_the_row():
    cells = _tree(["a", "b"], [[9, 1], [0, 0]]).iter("rect")
    assert [float(one.get("style").split(":")[1]) for one in cells] == [0.905, 0.145, 0.05, 0.05]


def test_a_cell_says_what_was_taken_for_what():
    titles = [one.text for one in _tree(["cat", "dog"], [[7, 1], [0, 9]]).iter("title")]
    assert titles[1] == "true cat, predicted dog: 1"


def test_no_classes_are_an_empty_matrix():
    assert list(_tree([], []).iter("rect")) == []


@pytest.mark.parametrize("count", [MOST_NUMBERED + 1, 80, 150, 400])
def test_labels_of_many_classes_do_not_stand_on_one_another(count):
    labels = [
        one for one in _tree(*_diagonal(count)).iter("text") if one.get("class") == "end tick"
    ]
    heights = [float(one.get("y")) for one in labels]
    assert min(b - a for a, b in itertools.pairwise(heights)) >= PITCH - 0.2


def test_of_many_classes_the_most_frequent_confusions_are_listed():
    rows = list(_tree(*_diagonal(150)).iter("tr"))
    assert len(rows) == MOST_LISTED + 1
    assert [one.text for one in rows[1]] == ["class 148", "class 149", "148", "94 %"]


def test_a_full_matrix_of_150_classes_is_less_than_a_megabyte():
    matrix = [[(i * j) % 7 + 1 for j in range(150)] for i in range(150)]
    assert len(confusion_matrix.draw({"labels": ["x"] * 150, "matrix": matrix})) < 1_000_000


def test_many_classes_without_a_mistake_have_nothing_to_list():
    count = MOST_NUMBERED + 1
    matrix = [[int(i == j) for j in range(count)] for i in range(count)]
    assert list(_tree(["x"] * count, matrix).iter("tr")) == []
