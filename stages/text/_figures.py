"""Draws the report's figures: confused intents, out-of-scope ROC, coverage, mistakes and data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage.figures import confusion_matrix, curves, table
from stages.evaluation import classifier, roc
from stages.text._measures import Tested

CONFUSED = 15  # intents in the confusion matrix
MISTAKES = 40  # sentences in a table
OTHERS = "all others"


def draw(
    tested: Mapping[str, Tested],
    labels: Sequence[str],
    sentences: Sequence[Mapping[str, Any]],
    counts: Mapping[str, NDArray[np.int64]],
) -> None:
    """Record the figures.

    tested:    by form: int8 and, if present, float
    sentences: of the test part: text, and where it comes from
    counts:    sentences of each intent (classes,), by part
    """
    int8 = tested["int8"]
    _confused(int8.matrix, labels)
    if int8.has_both:
        _roc(tested)
    series = {name: one.by_coverage() for name, one in tested.items()}
    curves("accuracy over coverage", series, x="share of sentences answered", y="accuracy")
    _mistakes(int8, labels, sentences)
    if int8.has_both:
        _answered_outside(int8, labels, sentences)
    _intents(int8.matrix, labels, counts)


def confused(matrix: classifier.Matrix) -> NDArray[np.intp]:
    """Return the intents with most mistakes, as truth or answer, in order: (CONFUSED,) at most."""
    wrong = matrix - np.diag(matrix.diagonal())
    mistakes = wrong.sum(0) + wrong.sum(1)
    order = np.argsort(-mistakes, kind="stable")[:CONFUSED]
    return np.sort(order)


def _confused(matrix: classifier.Matrix, labels: Sequence[str]) -> None:
    """Draw the confusion matrix, of the most confused intents if there are many."""
    if len(labels) <= CONFUSED:
        confusion_matrix("confusion", labels, matrix.tolist())
        return
    chosen = confused(matrix)
    rest = np.setdiff1d(np.arange(len(labels)), chosen)
    shown = np.zeros((len(chosen) + 1, len(chosen) + 1), np.int64)
    shown[:-1, :-1] = matrix[np.ix_(chosen, chosen)]
    shown[:-1, -1] = matrix[np.ix_(chosen, rest)].sum(1)
    shown[-1, :-1] = matrix[np.ix_(rest, chosen)].sum(0)
    shown[-1, -1] = matrix[np.ix_(rest, rest)].sum()
    names = [*(labels[at] for at in chosen), OTHERS]
    confusion_matrix("most confused intents", names, shown.tolist())


def _roc(tested: Mapping[str, Tested]) -> None:
    series = {}
    for name, one in tested.items():
        wrong, right = one.roc()
        series[f"{name}, area {roc.area(wrong, right):.3f}"] = (wrong, right)
    x, y = "share of sentences out of scope answered", "share of sentences in scope answered"
    curves("out-of-scope ROC", series, x=x, y=y)


def _mistakes(int8: Tested, labels: Sequence[str], sentences: Sequence[Mapping[str, Any]]) -> None:
    """Show the wrong intents of which the model was most certain."""
    wrong = np.flatnonzero(int8.is_inside & ~int8.is_right)
    rows = [
        (sentences[at]["text"], labels[int8.truth[at]], *_answer(int8, at, labels))
        for at in _surest(int8, wrong)
    ]
    if rows:
        table("worst mistakes", ["sentence", "intent", "predicted", "confidence", "answered"], rows)


def _answered_outside(
    int8: Tested, labels: Sequence[str], sentences: Sequence[Mapping[str, Any]]
) -> None:
    outside = np.flatnonzero(~int8.is_inside & int8.is_answered)
    rows = [
        (sentences[at]["text"], *_answer(int8, at, labels)[:2]) for at in _surest(int8, outside)
    ]
    if rows:
        table("answered out of scope", ["sentence", "predicted", "confidence"], rows)


def _answer(int8: Tested, at: int, labels: Sequence[str]) -> tuple[str, float, bool]:
    predicted = labels[int8.predicted[at]]
    return predicted, round(float(int8.confidence[at]), 3), bool(int8.is_answered[at])


def _surest(int8: Tested, rows: NDArray[np.intp]) -> list[int]:
    order = np.argsort(-int8.confidence[rows], kind="stable")[:MISTAKES]
    return [int(at) for at in rows[order]]


def _intents(
    matrix: classifier.Matrix, labels: Sequence[str], counts: Mapping[str, NDArray[np.int64]]
) -> None:
    """Show the number of sentences of each intent, and how well it is recognised."""
    columns = ["intent", *counts, "precision", "recall", "F1"]
    rows = [
        (label, *(int(part[at]) for part in counts.values()), *figures)
        for at, (label, figures) in enumerate(zip(labels, classifier.by_class(matrix), strict=True))
    ]
    table("sentences per intent", columns, rows)
