"""The task `tensors`: for a model without a known task, the answer is the model's outputs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.tasks.package import Package
from stages.tflite import arrays
from stages.tflite.tensor import only

if TYPE_CHECKING:
    from stages.tasks.task import Detection

MODEL = "model"  # the role
SEES = None  # nobody knows what its answer means for a frame
SHOWN = 8  # values of an output in a row; golden answers compare them


class Tensors:
    """A packaged model; its inputs are one example's values by tensor name."""

    takes = "tensors"
    follows = False
    picture_side: Optional[int] = None

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._model = package.open_role(MODEL, accelerator, runtime)
        self._picture = _scaling(package)
        self._labels = package.labels
        if self._picture:
            self.takes = "pictures"
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: Any, state: None) -> "Dict[str, Any]":
        """Return the outputs as values, by tensor name; raw: a picture, or values by input name."""
        if isinstance(raw, dict):
            values = {name: one[None] for name, one in raw.items()}
        else:
            tensor = only(self._model.inputs, "input")
            values = {tensor.name: as_tensor(raw, tensor.shape, self._picture)}
        answers = self._model.predict(values)
        return {"outputs": {name: one.ravel().tolist() for name, one in answers.items()}}

    def finish(self, state: None) -> None:
        return None

    def rows(self, answer: "Dict[str, Any]") -> "List[Dict[str, Any]]":
        """Return a row for each output: its largest value, the position of that, and its first values."""
        return [
            row(name, np.asarray(values), self._labels)
            for name, values in answer["outputs"].items()
        ]

    def detections(self, answer: "Dict[str, Any]") -> "List[Detection]":
        """Return the class of each output that has one value for each label."""
        return [
            {"label": one["label"], "score": one["value"], "box": None, "id": None}
            for one in self.rows(answer)
            if "label" in one
        ]

    def draw(self, picture: "NDArray[np.uint8]", answer: "Dict[str, Any]") -> "NDArray[np.uint8]":
        from stages.media.drawing import canvas_of

        canvas = canvas_of(picture)
        rows = self.rows(answer)
        canvas.caption(
            ", ".join(f"{one['output']}: {one.get('label', one['highest'])}" for one in rows)
        )
        return canvas.picture

    def read(self, path: Path) -> "Optional[Iterator[Dict[str, NDArray[Any]]]]":
        """Return the examples in a .npy or .npz file; iteration raises Unreadable if it has none."""
        return self._examples(path) if arrays.is_array(path) else None

    def _examples(self, path: Path) -> "Iterator[Dict[str, NDArray[Any]]]":
        try:
            yield from arrays.read(path, self._model.inputs)
        except arrays.Misfit as error:
            raise Unreadable(str(error)) from None


def load(package: Package, accelerator: str, runtime: str) -> Tensors:
    return Tensors(package, accelerator, runtime)


def _scaling(package: Package) -> "Dict[str, float]":
    """Return the constants that scale pixels; empty for a model that does not accept pictures."""
    if not package.constants.get("picture"):
        return {}
    scaling = {name: package.number(name, "picture") for name in ("mean", "deviation")}
    if not scaling["deviation"]:
        raise StageError("the package's deviation of a pixel is 0: package the model again")
    return scaling


def as_tensor(
    picture: "NDArray[np.uint8]", shape: "tuple[int, ...]", constants: "Dict[str, Any]"
) -> "NDArray[np.float32]":
    """Return an RGB picture (h, w, 3) as values (1, height, width, 3) or (1, height, width, 1).

    constants: mean and deviation of a pixel of 0 to 255; the value is (pixel - mean) / deviation
    """
    from stages.media.scaling import resized

    if len(shape) != 4 or shape[3] not in (1, 3):
        raise StageError(
            f"the model's input is {list(shape)}, not a picture: give its inputs as .npy files"
        )
    pixels = resized(picture, shape[2], shape[1]).astype(np.float32)
    values = (pixels - constants["mean"]) / constants["deviation"]
    return values.mean(-1, keepdims=True)[None] if shape[3] == 1 else values[None]


def row(name: str, values: "NDArray[Any]", labels: "Sequence[str]" = ()) -> "Dict[str, Any]":
    """Return an output's row for a table; NaN and infinity, which JSON lacks, become null.

    labels: the names of its values, if the model is a classifier
    """
    highest = int(values.argmax()) if values.size else None
    named = highest is not None and len(labels) == values.size
    return {
        "output": name,
        "size": int(values.size),
        "highest": highest,
        **({"label": labels[highest]} if named else {}),
        "value": None if highest is None else _number(values[highest]),
        "values": [_number(value) for value in values[:SHOWN]],
    }


def _number(value: Any) -> "Optional[float]":
    return round(float(value), 6) if np.isfinite(value) else None
