"""What a person looks at: confusion, classes, calibration, and the mistakes themselves."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage.figures import confusion_matrix, curves, picture_grid, table
from stages.evaluation import classifier
from stages.tflite import part
from stages.vision import _truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISTAKES = 24  # the surest of them are shown
THUMBNAIL = 160  # pixels


def draw(
    test: Path,
    scores: "Mapping[str, NDArray[np.float32]]",
    truth: "NDArray[np.int64]",
    about: Mapping[str, Any],
) -> None:
    """Record the figures of a test part.

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
    if len(labels) == 2 and len(np.unique(truth)) == 2:
        found = {name: _truth.roc(one[:, 1], truth == 1) for name, one in scores.items()}
        wrong, right = (
            (f"share of {labels[0]} predicted as {labels[1]}"),
            f"share of {labels[1]} found",
        )
        curves(f"ROC of {labels[1]}", found, x=wrong, y=right)
    _mistakes(test, scores["int8"], truth, about)


def _classes(matrix: "NDArray[np.int64]", labels: list[str]) -> None:
    tested = matrix.sum(1).tolist()
    rows = [
        (label, count, *figures)
        for label, count, figures in zip(labels, tested, classifier.by_class(matrix), strict=True)
    ]
    table("classes", ["class", "test pictures", "precision", "recall", "F1"], rows)


def _reliability(scores: "Mapping[str, NDArray[np.float32]]", truth: "NDArray[np.int64]") -> None:
    series: dict[str, tuple[object, object]] = {"ideal": ([0, 1], [0, 1])}
    for name, one in scores.items():
        rows = _truth.reliability(one, truth)
        series[name] = ([mean for mean, _, _ in rows], [right for _, right, _ in rows])
    curves("reliability", series, x="probability", y="share that is right")


def _mistakes(
    test: Path,
    scores: "NDArray[np.float32]",
    truth: "NDArray[np.int64]",
    about: Mapping[str, Any],
) -> None:
    """Show the mistakes that the model was surest of."""
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
            f"{labels[guesses[at]]} {highest[at]:.0%}, is {labels[truth[at]]}: {names[at]}",
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
