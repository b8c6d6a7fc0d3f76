"""The task `classify`: recognises what a picture shows.

The answer for a picture that resembles no class is `none of these`: its highest probability is below
the threshold found in training. Raw inputs are pictures (h, w, 3). The model returns probabilities, or
an embedding if the package has a separate last layer (stages.tasks.head).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tasks import head
from stages.tasks.signature import ANY, Needs
from stages.tflite import scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.head import Head
    from stages.tasks.package import Package

NONE = "none of these"
MODEL = "model"  # the role
SHOWN = 3  # classes in an answer, the most probable first


class Classify:
    """A packed picture classifier."""

    takes = "pictures"
    follows = False

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels, self._constants = list(package.labels), package.constants
        self.picture_side = int(self._constants["size"])
        self._model = package.open_role(MODEL, accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        self._head = _head(package)
        classes = int(next(iter(self._model.outputs.values())).shape[-1])
        if self._head:
            _check_size(self._head, classes)
            classes = len(self._head.bias)
        if classes != len(self._labels):
            raise StageError(
                f"the model has {classes} classes, but labels.txt has {len(self._labels)}: package the "
                "model with the labels of its training"
            )

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: NDArray[np.uint8], state: None) -> dict[str, Any]:
        """Return the class, its probability, and the most probable classes."""
        (name,) = self._model.inputs
        pixels = prepared(raw, self._constants)[None]
        (output,) = self._model.predict({name: values(pixels, self._constants)}).values()
        probabilities = self._head.probabilities(output) if self._head else output
        return decided(probabilities[0], self._labels, float(self._constants["threshold"]))

    def finish(self, state: None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return [{name: answer[name] for name in ("label", "probability")}]

    def draw(self, picture: NDArray[np.uint8], answer: dict[str, Any]) -> NDArray[np.uint8]:
        from stages.media.drawing import Canvas

        canvas = Canvas(picture)
        canvas.caption(f"{answer['label']} {answer['probability']:.0%}")
        return canvas.picture

    def read(self, path: Path) -> Iterator[Any] | None:
        return None


def load(package: Package, accelerator: str, runtime: str) -> Classify:
    return Classify(package, accelerator, runtime)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the model must have, by role."""
    if "head" in constants:
        return {MODEL: Needs("a network that turns a picture into an embedding", {ANY: None})}
    return {MODEL: Needs("a picture classifier", {ANY: (1, "labels")})}


def prepared(picture: NDArray[np.uint8], constants: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return an RGB picture (h, w, 3) in the network's form: (size, size, 3), uint8.

    fit: "crop" cuts out the central square, "stretch" changes the aspect ratio.
    """
    from stages.media.scaling import resized

    if constants["fit"] == "crop":
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        picture = picture[top : top + side, left : left + side]
    return resized(np.ascontiguousarray(picture), constants["size"], constants["size"])


def values(pixels: NDArray[np.uint8], constants: Mapping[str, Any]) -> NDArray[Any]:
    """Return pixels of 0 to 255 as the model's values: unchanged, or (pixel - mean) / deviation."""
    scaling = constants.get("picture")
    return scaled.values(pixels, scaling["mean"], scaling["deviation"]) if scaling else pixels


def _head(package: Package) -> Head | None:
    """Return the package's separate last layer, if any."""
    if "head" not in package.constants:
        return None
    return head.read(package.data(*head.FILES))


def _check_size(found: Head, size: int) -> None:
    if found.weights.shape[1] != size:
        raise StageError(
            f"the model's embedding has {size} values, but the last layer needs "
            f"{found.weights.shape[1]}: package the model again"
        )


def decided(
    probabilities: NDArray[np.float32], labels: list[str], threshold: float
) -> dict[str, Any]:
    """Return the answer for the probabilities (classes,) of one picture."""
    order = np.argsort(-probabilities, kind="stable")[:SHOWN]
    best = float(probabilities[order[0]])
    return {
        "label": labels[int(order[0])] if best >= threshold else NONE,
        "probability": round(best, 4),
        "classes": {labels[int(at)]: round(float(probabilities[at]), 4) for at in order},
    }
