"""Draws the report's figures: precision over recall, classes, sizes, errors, scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage.figures import curves, histogram, table
from stages.detection.evaluation import _grid, _operating
from stages.detection.evaluation._average_precision import RECALLS, SIZES, Evaluation
from stages.detection.evaluation._errors import KINDS, Errors, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CURVES = 8  # classes in one figure


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
    rows = [(named(kind), errors.count(kind), meaning) for kind, meaning in KINDS.items()]
    table("kinds of error", ["kind", "count", "meaning"], rows)
    _scores(int8, thresholds)
    _f1(int8)
    _grid.worst(test, int8, errors)


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


def _number(value: object) -> float | None:
    """Return a number for a table, rounded; None for NaN."""
    number = float(value)  # type: ignore[arg-type]
    return round(number, 4) if np.isfinite(number) else None
