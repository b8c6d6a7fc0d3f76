"""Shows test pictures with true and detected boxes in the report."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage.figures import picture_grid
from stages.detection.evaluation._average_precision import Evaluation
from stages.detection.evaluation._errors import KINDS, Errors, named
from stages.tflite import part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.media.drawing import Canvas, Colour

PICTURES = 12
SIDE = 400  # pixels of the longer side of a picture
TEXT = 12  # pixels
_TRUE, _RIGHT, _WRONG = (60, 200, 80), (70, 130, 255), (255, 70, 60)  # RGB: green, blue, red
WORST = "pictures, worst first: true boxes green, right detections blue, wrong ones red"
FOUND = "detections, not evaluated"


def worst(test: Path, found: Evaluation, errors: Errors) -> None:
    """Show the pictures with the most and surest mistakes first."""
    weights = np.zeros(len(found.truth))
    wrong = np.concatenate([errors.rows[kind] for kind in KINDS if kind != "missed"])
    np.add.at(weights, found.found.pictures[wrong], found.found.scores[wrong])
    np.add.at(weights, found.truth.pictures[errors.rows["missed"]], 1.0)

    def colour(row: int) -> "Colour":
        return _RIGHT if found.matched[row] >= 0 else _WRONG

    first = np.argsort(-weights, kind="stable")[:PICTURES]
    captions = [_mistakes(int(at), found, errors) for at in first]
    _show(WORST, test, zip(first, captions, strict=True), found, errors, colour)


def detections(test: Path, found: Evaluation, errors: Errors) -> None:
    """Show the pictures with the most detections first, without judging them: there is no truth."""
    counts = np.bincount(found.found.pictures[errors.shown], minlength=len(found.truth))
    first = np.argsort(-counts, kind="stable")[:PICTURES]
    captions = [f"{counts[at]} found" for at in first]
    _show(FOUND, test, zip(first, captions, strict=True), found, errors, lambda row: _RIGHT)


def _show(
    name: str,
    test: Path,
    chosen: "Iterable[tuple[int, str]]",
    found: Evaluation,
    errors: Errors,
    colour: "Callable[[int], Colour]",
) -> None:
    """Draw the chosen pictures, each with the begin of its caption."""
    pixels = part.read(test).tensors["picture"]
    shown = [
        (
            _drawn(np.asarray(pixels[at]), at, found, errors, colour),
            f"{text}: {found.truth.names[at]}",
        )
        for at, text in chosen
    ]
    picture_grid(name, shown, large=True)


def _mistakes(at: int, found: Evaluation, errors: Errors) -> str:
    """Return what is wrong in a picture."""
    counts = {}
    for kind in KINDS:
        side = found.truth if kind == "missed" else found.found
        counts[kind] = int((side.pictures[errors.rows[kind]] == at).sum())
    return (
        ", ".join(f"{count} {named(kind)}" for kind, count in counts.items() if count)
        or "all right"
    )


def _drawn(
    pixels: "NDArray[np.uint8]",
    at: int,
    found: Evaluation,
    errors: Errors,
    colour: "Callable[[int], Colour]",
) -> bytes:
    """Return a JPEG of a picture in its own aspect ratio, with its boxes."""
    from PIL import Image

    from stages.media.drawing import canvas_of

    height, width = found.truth.sizes[at]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = canvas_of(np.asarray(Image.fromarray(pixels).resize(size)))
    for box in found.truth.boxes[(found.truth.pictures == at) & ~found.truth.ignored]:
        _box(canvas, box, size, _TRUE)
    for row in errors.shown[found.found.pictures[errors.shown] == at]:
        left, top = _box(canvas, found.found.boxes[row], size, colour(row))
        label = found.truth.labels[found.found.classes[row]]
        canvas.text((left, max(top, TEXT)), f"{label} {found.found.scores[row]:.0%}", TEXT)
    file = io.BytesIO()
    Image.fromarray(canvas.picture).save(file, "JPEG", quality=80)
    return file.getvalue()


def _box(
    canvas: "Canvas", box: "NDArray[np.float32]", size: tuple[int, int], colour: "Colour"
) -> tuple[float, float]:
    """Draw a box of shares, and return its left and top in pixels."""
    width, height = size
    top, left, bottom, right = (box * (height, width, height, width)).tolist()
    canvas.box((left, top, right, bottom), colour)
    return left, top
