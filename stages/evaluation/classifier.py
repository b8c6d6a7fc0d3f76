"""Figures of a classifier that are the same in every domain, from its confusion matrix.

A matrix counts examples, (classes, columns): rows are true classes, columns predicted ones. A domain
may add columns for other answers, such as `nothing`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.evaluation.drop import beyond_one

Matrix = NDArray[np.int64]
CARRIED = ("outputs_differ", "max_step_difference", "reference_bit_equal")  # from `infer`


def confusion(
    truth: NDArray[np.int64], predicted: NDArray[np.intp], classes: int, columns: int = 0
) -> Matrix:
    """Return the matrix of the true and predicted classes (examples,); columns: classes by default."""
    matrix = np.zeros((classes, columns or classes), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def f1(matrix: Matrix) -> NDArray[np.float64]:
    """Return each class's F1, 2 tp / (2 tp + fp + fn); 0 for a class neither present nor predicted."""
    all_ = matrix.sum(0)[: len(matrix)] + matrix.sum(1)
    return np.where(all_ > 0, 2 * matrix.diagonal() / np.maximum(all_, 1), 0.0)


def by_class(matrix: Matrix) -> list[tuple[float | None, float | None, float | None]]:
    """Return precision, recall and F1 of each class; None if undefined.

    There is no precision without a prediction, and no recall or F1 without an example.
    """
    hits, predicted, tested = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    return [
        (
            float(hits[at] / predicted[at]) if predicted[at] else None,
            float(hits[at] / tested[at]) if tested[at] else None,
            float(value) if tested[at] else None,
        )
        for at, value in enumerate(f1(matrix))
    ]


def metrics(
    matrix: Matrix,
    interval: tuple[float, float],
    float_accuracy: float | None,
    accuracy_build: float,
    difference: Mapping[str, Any],
) -> dict[str, float]:
    """Return the metrics that each domain's `score` has, under the names that gates and scripts use.

    interval:   of the accuracy
    float_accuracy: None if the model has no float form; then the metrics that need it are missing
    difference: the report of `infer` on how its outputs differ from the build machine's
    """
    tested, examples = matrix.sum(1), float(matrix.sum())
    accuracy = float(matrix.trace() / examples)
    baseline = float(tested.max() / examples)
    lost = {}
    if float_accuracy is not None:
        lost = {
            "float_accuracy": float_accuracy,
            "accuracy_drop": float_accuracy - accuracy,
            "accuracy_drop_beyond_one": beyond_one(float_accuracy, accuracy, examples),
        }
    return {
        "accuracy": accuracy,
        "accuracy_low": interval[0],
        "accuracy_high": interval[1],
        **lost,
        "f1_macro": float(f1(matrix)[tested > 0].mean()),
        "correct": float(matrix.trace()),
        "test_examples": examples,
        "majority_baseline": baseline,
        "baseline_margin": accuracy - baseline,
        "untested_classes": float((tested == 0).sum()),
        "accuracy_build": accuracy_build,
        "accuracy_delta": accuracy - accuracy_build,
        **{name: float(difference[name]) for name in CARRIED},
    }


def only_output(
    values: Mapping[str, NDArray[np.float32]], examples: int, what: str, noun: str
) -> NDArray[np.float32]:
    """Return the scores (examples, classes) of the only output.

    what: the model, such as "a picture classifier"; noun: its examples, in the plural
    StageError: there are several outputs, or one for a different number of examples.
    """
    if len(values) != 1:
        raise StageError(f"{what} must have one output, but this one has {len(values)}")
    (scores,) = values.values()
    if len(scores) != examples:
        raise StageError(
            f"there are outputs for {len(scores)} {noun}, but {examples} {noun} in the test part: "
            "run `infer` on this part"
        )
    return scores


def untested(matrix: Matrix, labels: list[str]) -> list[str]:
    """Return the classes without an example."""
    return [label for label, count in zip(labels, matrix.sum(1), strict=True) if not count]


def no_better(found: Mapping[str, Any], matrix: Matrix, labels: list[str], add: str) -> list[str]:
    """Return a note if the majority baseline is as good; add: what would help, such as "pictures"."""
    if found["baseline_margin"] > 0:
        return []
    return [
        f"an accuracy of {found['accuracy']:.4f} is no better than always answering "
        f"{labels[int(matrix.sum(1).argmax())]} ({found['majority_baseline']:.4f}): add {add}"
    ]
