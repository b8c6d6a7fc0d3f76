"""Draws the report's figures: precision over recall, classes, sizes, errors, scores and pictures."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage.figures import curves, histogram, picture_grid, table
from stages.detection import _operating
from stages.detection._average_precision import RECALLS, SIZES, Evaluation
from stages.detection._errors import KINDS, Errors
from stages.tflite import part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.media.drawing import Canvas

PICTURES = 12  # in the grid
SIDE = 400  # pixels of the longer side of a picture in the grid
MOST_CURVES = 8  # classes in one figure
_TRUE, _RIGHT, _WRONG = (60, 200, 80), (70, 130, 255), (255, 70, 60)  # RGB: green, blue, red
GRID = "pictures, worst first: true boxes green, right detections blue, wrong ones red"


def draw(
    test: Path,
    found: Mapping[str, Evaluation],
    errors: Errors,
    thresholds: "NDArray[np.float32]",
) -> None:
    """Record the figures for a test part; found: of "int8" and, if there is one, "float"."""
    int8 = found["int8"]
    _precision(found)
    _classes(int8, thresholds)
    _sizes(int8)
    rows = [(_words(kind), errors.count(kind), meaning) for kind, meaning in KINDS.items()]
    table("kinds of error", ["kind", "count", "meaning"], rows)
    _scores(int8, thresholds)
    _f1(int8)
    grid(test, int8, errors)


def tested(found: Evaluation) -> list[int]:
    """Return the classes with true boxes."""
    return [at for at in range(len(found.truth.labels)) if found.wanted(at).any()]


def _precision(found: Mapping[str, Evaluation]) -> None:
    """Draw the mean over the classes; and each class, if there are several."""
    series = {
        f"{name}, area {one.map50:.3f}": (
            RECALLS,
            np.mean([one.curve(at) for at in tested(one)], 0),
        )
        for name, one in found.items()
    }
    curves("precision over recall, at an overlap of 0.5", series, x="recall", y="precision")
    int8 = found["int8"]
    if len(tested(int8)) > 1:
        each = {int8.truth.labels[at]: (RECALLS, int8.curve(at)) for at in _shown(int8)}
        curves("precision over recall, by class", each, x="recall", y="precision")


def _shown(found: Evaluation) -> list[int]:
    """Return the classes with the lowest average precision, as many as a figure may show."""
    worst = sorted(tested(found), key=lambda at: found.of_class(at)[0])
    return sorted(worst[:MOST_CURVES])


def _classes(found: Evaluation, thresholds: "NDArray[np.float32]") -> None:
    rows = []
    for at, label in enumerate(found.truth.labels):
        own = _operating.counts(found, at, thresholds[at])
        figures = *found.of_class(at), own.precision, own.recall, own.f1
        is_tested = own.wanted > 0
        cells = [_number(value) if is_tested else None for value in figures]
        rows.append((label, own.wanted, *cells[:2], _number(thresholds[at]), *cells[2:]))
    heads = ["class", "true boxes", "AP@0.5", "AP@[.5:.95]"]
    table("classes", [*heads, "threshold", "precision", "recall", "F1"], rows)


def _sizes(found: Evaluation) -> None:
    """Tabulate the average precision by the size of the true boxes in the original picture."""
    sides = np.asarray(found.truth.sizes, np.float64).reshape(-1, 2)[found.truth.pictures]
    extents = (found.truth.boxes[:, 2:] - found.truth.boxes[:, :2]) * sides
    areas = extents.prod(1)[~found.truth.ignored]
    rows = []
    for name, (low, high) in SIZES.items():
        count = int(((areas >= low) & (areas < high)).sum())
        upper = " and more" if high > 1e9 else f" to {high**0.5:.0f}²"
        figures = [_number(value) for value in found.of_size(name)]
        rows.append((name, f"{low**0.5:.0f}²{upper}", count, *figures))
    columns = ["size", ("area", "pixels"), "true boxes", "mAP@0.5", "mAP@[.5:.95]"]
    table("sizes", columns, rows)


def _scores(found: Evaluation, thresholds: "NDArray[np.float32]") -> None:
    """Draw how many detections of each score are right, from a little below the lowest threshold: below
    that, there are so many wrong ones that the others could not be seen.
    """
    lowest = float(np.floor(max(float(thresholds.min()) - 0.1, 0) * 20) / 20)
    edges = np.linspace(lowest, 1, round((1 - lowest) * 20) + 1)
    counted = ~found.ignored
    is_right = found.matched >= 0
    counts = {
        name: np.histogram(found.found.scores[counted & chosen], edges)[0]
        for name, chosen in (("right", is_right), ("wrong", ~is_right))
    }
    histogram("scores of the detections", edges, counts, x="score", y="detections")


def _f1(found: Evaluation) -> None:
    series = {}
    for at in _shown(found):
        f1 = _operating.counts(found, at, _operating.STEPS).f1
        series[found.truth.labels[at]] = (_operating.STEPS, f1)
    curves("F1 over the threshold, by class", series, x="threshold", y="F1")


def grid(test: Path, found: Evaluation, errors: Errors) -> None:
    """Show pictures with true and detected boxes, those with the most and surest mistakes first."""
    pixels = part.read(test).tensors["picture"]
    weights = np.zeros(len(found.truth.names))
    wrong = np.concatenate([errors.rows[kind] for kind in KINDS if kind != "missed"])
    np.add.at(weights, found.found.pictures[wrong], found.found.scores[wrong])
    np.add.at(weights, found.truth.pictures[errors.rows["missed"]], 1.0)
    worst = np.argsort(-weights, kind="stable")[:PICTURES]
    shown = [
        (_drawn(np.asarray(pixels[at]), int(at), found, errors), _caption(int(at), found, errors))
        for at in worst
    ]
    picture_grid(GRID, shown, large=True)


def _caption(at: int, found: Evaluation, errors: Errors) -> str:
    """Return what is wrong in a picture, and the picture's name."""
    counts = {}
    for kind in KINDS:
        side = found.truth if kind == "missed" else found.found
        counts[kind] = int((side.pictures[errors.rows[kind]] == at).sum())
    named = [f"{count} {_words(kind)}" for kind, count in counts.items() if count]
    return f"{', '.join(named) or 'all right'}: {found.truth.names[at]}"


def _drawn(pixels: "NDArray[np.uint8]", at: int, found: Evaluation, errors: Errors) -> bytes:
    from PIL import Image

    from stages.media.drawing import Canvas

    height, width = (float(side) for side in found.truth.sizes[at])
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = Canvas(np.asarray(Image.fromarray(pixels).resize(size)))
    true = (found.truth.pictures == at) & ~found.truth.ignored
    for box in found.truth.boxes[true]:
        _box(canvas, box, size, _TRUE)
    for row in errors.shown[found.found.pictures[errors.shown] == at]:
        box, kind = found.found.boxes[row], found.found.classes[row]
        colour = _RIGHT if found.matched[row] >= 0 else _WRONG
        left, top = _box(canvas, box, size, colour)
        text = f"{found.truth.labels[kind]} {found.found.scores[row]:.0%}"
        canvas.text((left, max(top, 12)), text, 12)
    file = io.BytesIO()
    Image.fromarray(canvas.picture).save(file, "JPEG", quality=80)
    return file.getvalue()


def _box(
    canvas: "Canvas",
    box: "NDArray[np.float32]",
    size: tuple[int, int],
    colour: tuple[int, int, int],
) -> tuple[float, float]:
    """Draw a box of shares, and return its left and top in pixels."""
    top, left, bottom, right = (box * (size[1], size[0], size[1], size[0])).tolist()
    canvas.box((left, top, right, bottom), colour)
    return left, top


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _number(value: object) -> float | None:
    """Return a number for a table, rounded; None for NaN."""
    number = float(value)  # type: ignore[arg-type]
    return round(number, 4) if np.isfinite(number) else None
