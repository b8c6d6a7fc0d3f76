"""The task `classify`: recognises what a picture shows.

The answer for a picture that resembles no class is `none of these`: its highest probability is below
the threshold found in training. In a clip, probabilities are averaged over a short time, and an answer
also contains the frame's own. Raw inputs are pictures (h, w, 3). The model returns probabilities, or
an embedding if the package has a separate last layer (stages.tasks.head).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tasks import head
from stages.tasks.clock import Clock
from stages.tasks.region import WHOLE
from stages.tasks.signature import ANY, Needs, check_seen
from stages.tasks.smoothing import Average, kept_threshold
from stages.tflite.scaled import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.head import Head
    from stages.tasks.package import Package
    from stages.tasks.region import Region
    from stages.tasks.task import Detection, View

NONE = "none of these"
SEES = MODEL = "model"  # the role
SHOWN = 3  # classes in an answer, the most probable first
OWN = "frame_label", "frame_probability"  # of a frame of a clip, not averaged


class State(Clock):
    """What the frames of a clip showed until now."""

    def __init__(self) -> None:
        super().__init__()
        self.average = Average()
        self.is_named = False


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

    def new_state(self, still: bool = False) -> State | None:
        return None if still else State()

    def answer(self, raw: NDArray[np.uint8], state: State | None) -> dict[str, Any]:
        """Return the class, its probability, and the most probable classes; of a frame of a clip, these
        are averages, and `frame_label` and `frame_probability` its own.
        """
        return self.conclude(self.look(raw), raw.shape[:2], state)

    def look(self, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities (classes,) of a picture."""
        (name,) = self._model.inputs
        pixels = prepared(raw, self._constants)[None]
        return self._read(self._model.predict({name: values(pixels, self._constants)}))

    def answer_seen(
        self,
        outputs: Mapping[str, NDArray[np.float32]],
        size: tuple[int, ...],
        state: State | None,
        region: Region = WHOLE,
    ) -> dict[str, Any]:
        """Return the answer for a frame that the accelerator saw itself; see `Seer`."""
        check_seen(
            "classify", needs(self._constants)[MODEL], outputs, {"labels": len(self._labels)}
        )
        return self.conclude(self._read(outputs), size, state)

    def _read(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the probabilities (classes,) from the network's only output (1, n)."""
        (output,) = outputs.values()
        if not self._head:
            return output[0]  # type: ignore[no-any-return]
        _check_size(self._head, output.shape[-1])
        return self._head.probabilities(output)[0]  # type: ignore[no-any-return]

    def conclude(
        self, looked: NDArray[np.float32], size: tuple[int, ...], state: State | None
    ) -> dict[str, Any]:
        """Return the answer for the probabilities (classes,) of a picture."""
        threshold = float(self._constants["threshold"])
        own = decided(looked, self._labels, threshold)
        if state is None:
            return own
        averages = state.average.add(looked, state.tick())
        found = decided(averages, self._labels, kept_threshold(threshold, state.is_named))
        state.is_named = found["label"] != NONE
        return {**found, **dict(zip(OWN, (own["label"], own["probability"])))}

    def finish(self, state: State | None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return [{name: answer[name] for name in ("label", "probability", *OWN) if name in answer}]

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        if answer["label"] == NONE:
            return []
        return [{"label": answer["label"], "score": answer["probability"], "box": None, "id": None}]

    def draw(self, picture: NDArray[np.uint8], answer: dict[str, Any]) -> NDArray[np.uint8]:
        from stages.media.drawing import canvas_of

        canvas = canvas_of(picture)
        is_named = answer["label"] != NONE  # the probability is that of a class that it is not
        canvas.caption(f"{answer['label']} {answer['probability']:.0%}" if is_named else NONE)
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


def view(constants: Mapping[str, Any]) -> View:
    """Return which part of a frame the network must see."""
    return "middle" if constants["fit"] == "crop" else "whole"


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
    return resized(picture, constants["size"], constants["size"])


def values(pixels: NDArray[np.uint8], constants: Mapping[str, Any]) -> NDArray[Any] | Scaled:
    """Return pixels of 0 to 255 as the model's values: unchanged, or (pixel - mean) / deviation."""
    scaling = constants.get("picture")
    return Scaled(pixels, scaling["mean"], scaling["deviation"]) if scaling else pixels


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
