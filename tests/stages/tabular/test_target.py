"""The target: classes or numbers."""

import random

import pytest

from engine.stage import StageError
from tests.stages.tabular.conftest import csv, lines

CHANCE = random.Random(3)


def _table(cells):
    return csv(
        [[*row[:2], cell] for row, cell in zip(lines(len(cells)), cells, strict=True)],
        "a",
        "b",
        "y",
    )


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        ([CHANCE.choice(["+", "-"]) for _ in range(60)], "classify"),
        ([str(CHANCE.randint(0, 1)) for _ in range(60)], "classify"),
        ([str(CHANCE.randint(3, 8)) for _ in range(60)], "classify"),
        ([str(CHANCE.randint(0, 80)) for _ in range(60)], "regress"),
        ([f"{CHANCE.gauss(0, 1):.3f}" for _ in range(60)], "regress"),
    ],
)
def test_the_task_follows_from_the_values(make, cells, task):
    made = make(_table(cells))
    is_class = (made.folder / "test" / "labels.txt").is_file()
    assert ("classify" if is_class else "regress") == task


def test_whole_numbers_that_may_be_meant_otherwise_are_said(make, said):
    make(_table([str(at % 6) for at in range(60)]))
    assert any(
        "6 different whole numbers: taken for classes (params.task=classify); set params.task=regress if"
        in note
        for note in said.notes
    )


def test_classes_that_are_numbers_are_in_their_order(make):
    made = make(_table([str((at % 3) * 5) + ".0" for at in range(60)]), task="classify")
    assert (made.folder / "test" / "labels.txt").read_text() == "0\n5\n10\n"


@pytest.mark.parametrize(
    ("cells", "params", "why"),
    [
        (["x", "y"] * 20, {"task": "regress"}, "the target 'y' has words such as 'x', not numbers"),
        (["x"] * 40, {}, "the target 'y' has the same value in every row"),
        ([""] * 40, {}, "the target 'y' has no value in any row"),
        ([f"2024-01-{1 + at % 28:02}" for at in range(40)], {}, "the target 'y' is a date"),
        ([f"text {at}" for at in range(40)], {}, "has another text in every row, such as 'text 0'"),
        (
            [f'"{at}{".,"[at % 2]}5"' for at in range(40)],
            {},
            "such as '0.5' and '1,5': write them all alike",
        ),
        (["x", "y"] * 20, {"drop": ["y"]}, "params.drop names the target 'y': set params.target"),
        (["x", "y"] * 20, {"group": "y"}, "params.group names the target 'y'"),
        (["x", "y"] * 20, {"date": 3}, "params.date names the target 'y'"),
        (
            ["x", "y"] * 20,
            {"drop": ["a", "b"]},
            "there is no column to learn from (a: it was dropped",
        ),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(make, cells, params, why):
    with pytest.raises(StageError) as error:
        make(_table(cells), **params)
    assert why in str(error.value)


def test_too_many_classes_are_refused(make):
    with pytest.raises(StageError, match="1500 different values, too many for classes: set"):
        make(_table([f"{at}.5" for at in range(1500)]), task="classify")
