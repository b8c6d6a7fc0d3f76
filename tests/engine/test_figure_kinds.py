"""Kinds of figures: found by name; a figure that does not fit its kind is refused with the reason."""

import pytest

from engine import figure_kinds

MATRIX = {"kind": "confusion_matrix", "name": "f", "labels": ["a"], "matrix": [[1]]}


def test_a_kind_is_found_by_its_file():
    assert {"confusion_matrix", "op_graph", "table"} <= set(figure_kinds.names())
    assert "__init__" not in figure_kinds.names()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "globe"}, "kind: 'globe' is not one of bars, confusion_matrix, "),
        ({"kind": []}, "kind: '\\[\\]' is not one of"),
        ({"kind": "../events"}, "kind: '../events' is not one of"),
        ({"labels": None}, "confusion_matrix.labels: Input should be a valid list"),
        ({"labels": ["a" * 300]}, "confusion_matrix.labels.0: String should have at most 250"),
        ({"matrix": [[1.5]]}, "confusion_matrix.matrix.0.0: Input should be a valid integer"),
        ({"matrix": []}, "confusion_matrix: Value error, a confusion matrix must have a row and a"),
        ({"name": ""}, "confusion_matrix.name: String should have at least 1 character"),
    ],
)
def test_what_does_not_fit_its_kind_is_refused_with_the_field(change, why):
    with pytest.raises(ValueError, match=f"^{why}"):
        figure_kinds.checked({**MATRIX, **change})


def test_a_figure_has_the_fields_of_its_kind_and_no_more():
    assert figure_kinds.checked({**MATRIX, "stage": "s", "more": 1}) == MATRIX


def test_no_figure_is_larger_than_the_journal_can_carry(monkeypatch):
    monkeypatch.setattr(figure_kinds, "MOST_CHARACTERS", 50)
    with pytest.raises(ValueError, match=r"^confusion_matrix: it has more than 50 characters"):
        figure_kinds.checked(MATRIX)
