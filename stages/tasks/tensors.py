"""The task `tensors`: a model that nobody has said more of answers with its own outputs."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.tasks.package import Package

MODEL = "model"  # the role
SHOWN = 8  # so many values of an output stand in a row; golden answers compare them


class Tensors:
    """A packed model; its inputs are values by tensor name, each of one example."""

    takes = "tensors"
    follows = False
    picture_side: Optional[int] = None

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._model = package.open_role(MODEL, accelerator, runtime)
        self._picture = package.constants.get("picture")
        if self._picture:
            self.takes = "pictures"
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: Any, state: None) -> "Dict[str, Any]":
        """Return the outputs as values, by tensor name; raw: a picture, or values by input name."""
        if self._picture:
            (tensor,) = self._model.inputs.values()
            raw = {tensor.name: as_tensor(raw, tensor.shape, self._picture)}
        values = {
            name: np.asarray(raw[name]).reshape(self._model.inputs[name].shape)
            for name in self._model.inputs
            if name in raw
        }
        answers = self._model.predict(values)
        return {"outputs": {name: one.ravel().tolist() for name, one in answers.items()}}

    def finish(self, state: None) -> None:
        return None

    def rows(self, answer: "Dict[str, Any]") -> "List[Dict[str, Any]]":
        """Return a row for each output: its largest value, where that is, and its first values."""
        return [row(name, np.asarray(values)) for name, values in answer["outputs"].items()]

    def draw(self, picture: "NDArray[np.uint8]", answer: "Dict[str, Any]") -> "NDArray[np.uint8]":
        from stages.media.drawing import Canvas

        canvas = Canvas(picture)
        rows = self.rows(answer)
        canvas.caption(", ".join(f"{row['output']}: {row['highest']}" for row in rows))
        return canvas.picture

    def read(self, path: Path) -> "Optional[Iterator[Dict[str, NDArray[Any]]]]":
        """Return the example in a .npy file, or the tensors by name in a .npz file."""
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return iter([{name: file[name] for name in file.files}])
        if path.suffix.lower() == ".npy":
            if len(self._model.inputs) != 1:
                raise StageError(f"the model has {len(self._model.inputs)} inputs: give .npz files")
            return iter([{next(iter(self._model.inputs)): np.load(path, allow_pickle=False)}])
        return None


def load(package: Package, accelerator: str, runtime: str) -> Tensors:
    return Tensors(package, accelerator, runtime)


def as_tensor(
    picture: "NDArray[np.uint8]", shape: "tuple[int, ...]", constants: "Dict[str, Any]"
) -> "NDArray[np.float32]":
    """Return an RGB picture (h, w, 3) as values (1, height, width, 3) or (1, height, width, 1).

    constants: mean and deviation of a pixel of 0 to 255; the value is (pixel - mean) / deviation
    """
    from stages.media.scaling import resized

    if len(shape) != 4 or shape[3] not in (1, 3):
        raise StageError(
            f"the model takes {list(shape)}, and no picture: give its inputs as .npy files"
        )
    pixels = resized(picture, shape[2], shape[1]).astype(np.float32)
    values = (pixels - constants["mean"]) / constants["deviation"]
    return values.mean(-1, keepdims=True)[None] if shape[3] == 1 else values[None]


def row(name: str, values: "NDArray[Any]") -> "Dict[str, Any]":
    return {
        "output": name,
        "size": int(values.size),
        "highest": int(values.argmax()),
        "value": round(float(values.max()), 6),
        "values": [round(float(value), 6) for value in values[:SHOWN]],
    }
