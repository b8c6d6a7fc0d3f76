"""Draws the report's figures of the answers to the test rows, beside those of the baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage.figures import bars, confusion_matrix, curves, histogram, table
from stages.evaluation import classifier, roc
from stages.tabular._measures import Tested

MOST_CLASSES = 40  # in a confusion matrix
FEW_VALUES = 16  # different true numbers, up to which a confusion matrix of numbers is readable
GROUPS = 20  # of true numbers, along a curve
BINS = 40
WORST = 15
MOST_COLUMNS = 8  # of a row in a table
MOST_BARS = 40
Forms = Mapping[str, Tested]


def draw(
    forms: Forms,
    rivals: Forms,
    about: Mapping[str, Any],
    importance: Mapping[str, Any],
    rows: Mapping[str, Any],
) -> None:
    """Record the figures.

    forms: int8, and float if there is one; rivals: the baselines; about: target and labels
    importance: by column; rows: the cells of the test rows
    """
    if about["labels"]:
        _classes(forms, rivals, about["labels"], about["target"])
    else:
        _numbers(forms, rivals, about["target"])
    columns = sorted(importance["columns"], key=lambda one: -one["mean"])
    _importance(importance["figure"], columns[:MOST_BARS])
    _worst(forms["int8"], about, rows, [one["column"] for one in columns[:MOST_COLUMNS]])


def positive(labels: Sequence[str], truth: NDArray[np.int64]) -> int:
    """Return which of two classes the curves are about: the rarer one, as defects and diseases are."""
    counts = np.bincount(truth, minlength=len(labels))
    return int(counts[0] < counts[1]) ^ 1


def _classes(forms: Forms, rivals: Forms, labels: Sequence[str], target: str) -> None:
    int8 = forms["int8"]
    matrix = int8.matrix(len(labels))
    if len(labels) <= MOST_CLASSES:
        confusion_matrix("confusion", labels, matrix.tolist())
    if len(labels) == 2 and len(np.unique(int8.truth)) == 2:
        at = positive(labels, int8.truth)
        shown = {**forms, "gradient boosting": rivals["boosting"], "linear": rivals["linear"]}
        _roc(shown, at, f"{target} = {labels[at]}")
        _precision_recall(shown, at, f"{target} = {labels[at]}")
    rows = [
        (label, int(tested), *figures)
        for label, tested, figures in zip(
            labels, matrix.sum(1), classifier.by_class(matrix), strict=True
        )
    ]
    table("test rows per class", ["class", "rows", "precision", "recall", "F1"], rows)


def _roc(shown: Forms, at: int, called: str) -> None:
    series = {}
    for name, one in shown.items():
        wrong, right = roc.curve(one.probabilities[:, at], one.truth == at)
        series[f"{name}, area {roc.area(wrong, right):.3f}"] = (wrong, right)
    curves(f"ROC of {called}", series, x="false positive rate", y="true positive rate")


def _precision_recall(shown: Forms, at: int, called: str) -> None:
    series = {}
    for name, one in shown.items():
        found, right = precision_recall(one.probabilities[:, at], one.truth == at)
        area = float((np.diff(found, prepend=0.0) * right).sum())
        series[f"{name}, average {area:.3f}"] = (found, right)
    curves(f"precision and recall of {called}", series, x="recall", y="precision")


def precision_recall(
    scores: NDArray[np.floating], is_positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return recall and precision over all thresholds, from the highest score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(scores[order])), len(order) - 1]  # the last of equal scores
    hits = np.cumsum(is_positive[order])[ends]
    return hits / is_positive.sum(), hits / (ends + 1)


def _numbers(forms: Forms, rivals: Forms, target: str) -> None:
    shown = {**forms, "gradient boosting": rivals["boosting"]}
    int8 = forms["int8"]
    levels = np.unique(int8.truth)
    if len(levels) <= FEW_VALUES:
        places = [
            np.abs(levels[:, None] - one).argmin(0) for one in (int8.truth, int8.judged.values)
        ]
        matrix = classifier.confusion(places[0].astype(np.int64), places[1], len(levels))
        names = [f"{level:g}" for level in levels]
        confusion_matrix(f"true and predicted {target}", names, matrix.tolist())
    else:
        _predicted(shown, target)
    reach = float(np.quantile(np.abs(np.concatenate([one.wrong for one in shown.values()])), 0.99))
    edges = np.linspace(-(reach or 1.0), reach or 1.0, BINS + 1)
    counts = {
        f"{name}, MAD {one.mad:.4g}": np.histogram(np.clip(one.wrong, edges[0], edges[-1]), edges)[
            0
        ]
        for name, one in shown.items()
    }
    histogram("residuals", edges, counts, x=f"predicted minus true {target}", y="test rows")


def _predicted(shown: Forms, target: str) -> None:
    """Draw the median answer over the true number, in groups of rows of similar true numbers."""
    truth = shown["int8"].truth
    groups = np.array_split(np.argsort(truth, kind="stable"), min(GROUPS, len(truth)))
    across = np.array([truth[one].mean() for one in groups])
    series: dict[str, tuple[Any, Any]] = {"perfect": (across[[0, -1]], across[[0, -1]])}
    for name, one in shown.items():
        series[name] = (across, [float(np.median(one.judged.values[at])) for at in groups])
    judged = shown["int8"].judged
    if judged.low is not None and judged.high is not None:
        for name, values in (("int8, low", judged.low), ("int8, high", judged.high)):
            series[name] = (across, [float(np.median(values[at])) for at in groups])
    curves(f"predicted {target}", series, x=f"true {target}", y=f"predicted {target}")


def _importance(figure: str, columns: Sequence[Mapping[str, Any]]) -> None:
    what = {"auroc": "loss of area under the ROC", "mad": "increase of the mean absolute deviation"}
    rows = [(one["column"], one["mean"], one["low"], one["high"]) for one in columns]
    bars("importance of the columns", rows, x=what[figure])


def _worst(
    int8: Tested, about: Mapping[str, Any], rows: Mapping[str, Any], names: Sequence[str]
) -> None:
    """Show the largest errors, or the wrong classes of which the model was most certain.

    names: of the columns to be shown, the most important first
    """
    labels, target = about["labels"], about["target"]
    if labels:
        scores = int8.probabilities.max(1)
        wrong = np.flatnonzero(~int8.is_right)
        order = wrong[np.argsort(-scores[wrong], kind="stable")][:WORST]
        lines = [
            (
                labels[int8.truth[at]],
                labels[int(int8.judged.values[at])],
                round(float(scores[at]), 3),
            )
            for at in order
        ]
        heads = [f"true {target}", "predicted", "confidence"]
    else:
        order = np.argsort(-np.abs(int8.wrong), kind="stable")[:WORST]
        lines = [
            (float(int8.truth[at]), float(f"{int8.judged.values[at]:.6g}"), float(f"{wrong:.4g}"))
            for at, wrong in zip(order, int8.wrong[order], strict=True)
        ]
        heads = [f"true {target}", "predicted", "difference"]
    places = [rows["names"].index(name) for name in names]
    drawn = [
        (rows["places"][at], *line, *(rows["rows"][at][place] for place in places))
        for at, line in zip(order.tolist(), lines, strict=True)
    ]
    if drawn:
        table("worst mistakes", ["row", *heads, *names], drawn)
