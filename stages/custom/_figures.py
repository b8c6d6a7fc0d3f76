"""Draws the report's figures: confused classes and the ROC, or errors of amounts."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.stage.figures import confusion_matrix, curves, histogram, table
from stages.custom._measures import Tested
from stages.evaluation import classifier, roc

_MOST_LABELS = 30  # in a confusion matrix
_WORST = 20
_BINS = 30


def draw(forms: Mapping[str, Tested], labels: Sequence[str], target: str) -> None:
    """Record the figures; forms: packed, and float if there is one."""
    shown = {name: one for name, one in forms.items() if name != "build"}
    if labels:
        _of_classes(shown, labels)
    else:
        _of_amounts(shown, target)


def _of_classes(forms: Mapping[str, Tested], labels: Sequence[str]) -> None:
    matrix = forms["int8"].matrix(len(labels))
    if len(labels) <= _MOST_LABELS:
        confusion_matrix("confusion", labels, matrix.tolist())
    is_positive = forms["int8"].truth == 1
    if len(labels) == 2 and is_positive.any() and not is_positive.all():
        series = {}
        for name, one in forms.items():
            wrong, right = roc.curve(one.probabilities[:, 1], is_positive)
            series[f"{name}, area {roc.area(wrong, right):.3f}"] = (wrong, right)
        x, y = f"share of other examples taken for {labels[1]}", f"share of {labels[1]} found"
        curves("ROC", series, x=x, y=y)
    rows = [
        (label, int(count), *figures)
        for label, count, figures in zip(
            labels, matrix.sum(1), classifier.by_class(matrix), strict=True
        )
    ]
    table("test examples per class", ["class", "examples", "precision", "recall", "F1"], rows)


def _of_amounts(forms: Mapping[str, Tested], target: str) -> None:
    packed = forms["int8"]
    edges = np.histogram_bin_edges(packed.errors, bins=_BINS)
    series = {name: np.histogram(one.errors, edges)[0].tolist() for name, one in forms.items()}
    histogram("errors", edges.tolist(), series, x=f"predicted minus true {target}")
    worst = np.argsort(-np.abs(packed.errors), kind="stable")[:_WORST]
    rows = [
        (int(at) + 1, float(packed.truth[at]), round(float(packed.judged.values[at]), 4))
        for at in worst
    ]
    table("largest errors", ["test example", f"true {target}", "predicted"], rows)
