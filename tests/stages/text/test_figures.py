"""The figures for more intents than a confusion matrix can show."""

import numpy as np

from stages.text import _figures

LABELS = [f"intent {at:02}" for at in range(40)]


def _drawn(monkeypatch, matrix):
    found = {}
    monkeypatch.setattr(
        _figures,
        "confusion_matrix",
        lambda name, labels, cells: found.update(name=name, labels=labels, cells=np.array(cells)),
    )
    _figures._confused(matrix, LABELS)
    return found


def test_the_most_confused_intents_are_shown_and_no_sentence_is_lost(monkeypatch):
    matrix = np.diag(np.full(40, 10)).astype(np.int64)
    matrix[7, 30], matrix[30, 2] = 4, 1
    shown = _drawn(monkeypatch, matrix)
    assert shown["name"] == "most confused intents"
    assert {"intent 02", "intent 07", "intent 30"} < set(shown["labels"])
    assert len(shown["labels"]) == _figures.CONFUSED + 1
    assert shown["labels"][-1] == _figures.OTHERS
    assert shown["cells"].sum() == matrix.sum()
    row, column = (shown["labels"].index(name) for name in ("intent 07", "intent 30"))
    assert shown["cells"][row, column] == 4


def test_mistakes_of_other_intents_stand_in_the_last_row_and_column(monkeypatch):
    chance = np.random.default_rng(0)
    matrix = chance.integers(0, 3, (40, 40)).astype(np.int64)
    shown = _drawn(monkeypatch, matrix)["cells"]
    chosen = _figures.confused(matrix)
    assert shown[:-1].sum() == matrix[chosen].sum()
    assert shown[:, :-1].sum() == matrix[:, chosen].sum()
