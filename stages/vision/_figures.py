"""Draws the report's figures: confusion matrices, classes, calibration and mistakes."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage.figures import confusion_matrix, curves, histogram, picture_grid, table
from stages.evaluation import classifier, roc
from stages.tflite import part
from stages.vision import _truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISTAKES = 24  # number of mistakes shown
THUMBNAIL = 160  # pixels
FEWEST = 5  # pictures behind a point of the reliability; the share of fewer is chance
MOST_K = 10  # maximum k of the top-k accuracy


def draw(
    test: Path,
    scores: "Mapping[str, NDArray[np.float32]]",
    truth: "NDArray[np.int64]",
    about: Mapping[str, Any],
) -> None:
    """Record the figures for a test part.

    scores: "int8" and "float" (pictures, classes); about: the part's labels and names of pictures
    """
    labels = about["labels"]
    matrices = {
        name: classifier.confusion(truth, one.argmax(1), len(labels))
        for name, one in scores.items()
    }
    for name, matrix in matrices.items():
        confusion_matrix(name, labels, matrix.tolist())
    _classes(matrices["int8"], labels)
    _reliability(scores, truth)
    if len(labels) > 2:
        _top_k(scores, truth)
    elif len(np.unique(truth)) == 2:
        _roc(scores, truth, labels)
    _mistakes(test, scores["int8"], truth, about)


def _classes(matrix: "NDArray[np.int64]", labels: list[str]) -> None:
    tested = matrix.sum(1).tolist()
    rows = [
        (label, count, *figures)
        for label, count, figures in zip(labels, tested, classifier.by_class(matrix), strict=True)
    ]
    table("classes", ["class", "test pictures", "precision", "recall", "F1"], rows)


def _reliability(scores: "Mapping[str, NDArray[np.float32]]", truth: "NDArray[np.int64]") -> None:
    """Draw the reliability of bins with enough pictures, and the number of pictures in each bin."""
    series: dict[str, tuple[object, object]] = {"ideal": ([0, 1], [0, 1])}
    for name, one in scores.items():
        rows = [row for row in _truth.reliability(one, truth) if row[2] >= FEWEST]
        if rows:
            series[name] = ([mean for mean, _, _ in rows], [right for _, right, _ in rows])
    curves("reliability", series, x="probability", y="accuracy")
    edges = np.linspace(0, 1, _truth.BINS + 1)
    counts = {name: np.histogram(one.max(1), edges)[0] for name, one in scores.items()}
    histogram("probability of the predicted class", edges, counts, x="probability", y="pictures")


def _top_k(scores: "Mapping[str, NDArray[np.float32]]", truth: "NDArray[np.int64]") -> None:
    most = min(MOST_K, next(iter(scores.values())).shape[1])
    ks = list(range(1, most + 1))
    series = {name: (ks, _truth.top_k(one, truth)[:most]) for name, one in scores.items()}
    curves("top-k accuracy", series, x="k", y="accuracy")


def _roc(
    scores: "Mapping[str, NDArray[np.float32]]", truth: "NDArray[np.int64]", labels: list[str]
) -> None:
    """Draw the ROC of the second of two classes; the legend gives the area under it."""
    series = {}
    for name, one in scores.items():
        wrong, right = roc.curve(one[:, 1], truth == 1)
        series[f"{name}, area {roc.area(wrong, right):.3f}"] = (wrong, right)
    x, y = f"share of {labels[0]} predicted as {labels[1]}", f"share of {labels[1]} found"
    curves(f"ROC of {labels[1]}", series, x=x, y=y)


def _mistakes(
    test: Path,
    scores: "NDArray[np.float32]",
    truth: "NDArray[np.int64]",
    about: Mapping[str, Any],
) -> None:
    """Show the mistakes that the model was most certain of."""
    labels, names = about["labels"], about["names"]
    guesses, highest = scores.argmax(1), scores.max(1)
    wrong = np.flatnonzero(guesses != truth)
    wrong = wrong[np.argsort(-highest[wrong], kind="stable")][:MISTAKES]
    if not len(wrong):
        return
    pixels = part.read(test).tensors["picture"]
    shown = [
        (
            _jpeg(np.asarray(pixels[at])),
            f"predicted {labels[guesses[at]]} ({highest[at]:.0%}), is {labels[truth[at]]}: {names[at]}",
        )
        for at in wrong
    ]
    picture_grid("surest mistakes", shown)


def _jpeg(pixels: "NDArray[np.uint8]") -> bytes:
    from PIL import Image

    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    image.save(file, "JPEG", quality=80)
    return file.getvalue()
