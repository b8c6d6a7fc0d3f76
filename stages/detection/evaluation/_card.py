"""Sections of the model card that only a detector has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.detection.evaluation._average_precision import Evaluation


def card(
    metrics: Mapping[str, Any], found: "Evaluation", thresholds: "NDArray[np.float32]"
) -> dict[str, str]:
    """Return sections of the model card: title -> Markdown."""
    labels = found.truth.labels
    figures = "Unevaluated: there is no annotated object in the test part."
    if metrics["test_boxes"]:
        figures = f"{_precision(metrics)}\n\n{_by_class(found, thresholds)}"
    return {
        "Intended use": (
            f"Find objects of {len(labels)} classes in a picture, each with its box. Not for "
            "decisions about people's health, safety or rights."
        ),
        "Data": (
            f"Classes: {', '.join(labels)}\n\nTest pictures: {metrics['test_pictures']:.0f}, with "
            f"{metrics['test_boxes']:.0f} objects"
        ),
        "Figures": figures,
        "Limits": (
            "The model knows only these classes, and sees each picture stretched to a square of its "
            "input size, so it misses objects that are only a few pixels wide there. It was "
            "tested only on pictures like those of its data set."
        ),
    }


def _precision(metrics: Mapping[str, Any]) -> str:
    floating = metrics.get("float_map50")
    beside = "" if floating is None else f"; of the float model {floating:.3f}"
    return (
        f"mAP@0.5 on {metrics['test_pictures']:.0f} test pictures: {metrics['map50']:.3f} (95 % "
        f"interval {metrics['map50_low']:.3f} to {metrics['map50_high']:.3f}){beside}; "
        f"mAP@[.5:.95]: {metrics['map']:.3f}. Always answering the mean box of the most frequent "
        f"class gives a mAP@0.5 of {metrics['baseline_map50']:.3f}. Above the thresholds, "
        f"{metrics['precision']:.1%} of the detections are right, and {metrics['recall']:.1%} of "
        "the objects are found."
    )


def _by_class(found: "Evaluation", thresholds: "NDArray[np.float32]") -> str:
    heads = "| class | AP@0.5 | threshold | test objects |\n| --- | --- | --- | --- |\n"
    rows = []
    for at, label in enumerate(found.truth.labels):
        count = int(found.wanted(at).sum())
        precision = f"{found.of_class(at)[0]:.3f}" if count else "not tested"
        rows.append(f"| {label} | {precision} | {thresholds[at]:.2f} | {count} |")
    return heads + "\n".join(rows)
