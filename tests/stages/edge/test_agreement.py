"""Answers are compared independently of the task: text is equal or not, numbers have a difference."""

from types import SimpleNamespace

import pytest

from stages.edge import _agreement

CAT = {"label": "cat", "score": 0.9}
TASK = SimpleNamespace()  # which uses the default rule


@pytest.mark.parametrize(
    ("answered", "agreement", "difference"),
    [
        ([CAT], 1.0, 0.0),
        ([{**CAT, "box": [1, 2]}], 1.0, 0.0),  # an answer may say more
        ([{"label": "cat", "score": 0.65}], 1.0, 0.25),
        ([{"label": "dog", "score": 0.9}], 0.0, 0.0),
        ([{"label": "cat"}], 0.0, 0.0),
        ([CAT, CAT], 0.5, 0.0),
        ([], 0.0, 0.0),
    ],
    ids=["equal", "more", "number", "word", "lacking", "too many", "none"],
)
def test_answers_agree_in_their_words_and_differ_in_numbers(
    answered, agreement, difference, monkeypatch
):
    monkeypatch.setattr(_agreement, "note", lambda text: None)
    expected = [{"file": "a", "rows": [CAT]}]
    found = _agreement.compare(TASK, {"a": answered}, expected)
    assert found == (agreement, pytest.approx(difference))


def test_an_item_with_another_number_of_answers_is_reported(monkeypatch):
    said = []
    monkeypatch.setattr(_agreement, "note", said.append)
    _agreement.compare(TASK, {"a": [CAT, CAT]}, [{"file": "a", "rows": [CAT]}])
    assert said == ["a: 2 answers, 1 expected"]


def test_nothing_expected_is_agreed_to():
    assert _agreement.compare(TASK, {"a": [CAT]}, []) == (1.0, 0.0)


def test_a_task_may_decide_which_rows_belong_together():
    reverse = SimpleNamespace(
        matched=lambda rows, expected: list(zip(rows[::-1], expected, strict=True))
    )
    rows = [CAT, {"label": "dog", "score": 0.5}]
    assert _agreement.compare(reverse, {"a": rows}, [{"file": "a", "rows": rows[::-1]}]) == (1, 0)
