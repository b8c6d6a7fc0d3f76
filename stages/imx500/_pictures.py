"""Finds the pictures that calibrate a network for the camera: those of its training part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.tflite import calibration, part
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, h, w, 3), uint8, in the network's size, and where they come from.

    scaling: mean and deviation that the packaged model's values have been scaled with, if any
    """

    pictures: NDArray[np.uint8]
    whence: str
    scaling: dict[str, float] | None = None

    def values(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return pictures as the packaged float model's values."""
        found = pictures.astype(np.float32)
        if self.scaling:
            found = (found - self.scaling["mean"]) / self.scaling["deviation"]
        return found


def find(train: Path | None, role: str, count: int, seed: int) -> Pictures | str:
    """Return pictures of the training part, or a sentence that says why there are none."""
    if train is None:
        return "there are no training pictures to calibrate it with"
    folder = train / role if (train / role).is_dir() else train
    data = part.read(folder)
    if len(data.tensors) != 1 or not is_picture(next(iter(data.tensors.values()))):
        shown = ", ".join(f"{n} {list(t.shape[1:])}" for n, t in data.tensors.items())
        return f"the examples of the training part are no pictures ({shown}) to calibrate it with"
    ((name, stored),) = data.tensors.items()
    inputs = {name: Tensor(name, (1, *stored.shape[1:]), "uint8")}
    chosen = calibration.choose(train, role, inputs, count, seed).chosen
    scaling = None
    if name in data.scaling:
        mean, deviation = data.scaling[name]
        scaling = {"mean": mean, "deviation": deviation}
    return Pictures(np.asarray(stored[chosen]), f"{len(chosen)} training pictures", scaling)


def raw(folder: Path, height: int, width: int, count: int) -> Pictures | str:
    """Return the pictures among a part's raw items, or a sentence that says why there are none."""
    from stages.imx500 import _raw_pictures

    found = _raw_pictures.find(folder, height, width, count)
    return found if isinstance(found, str) else Pictures(*found)


def stored(test: Path) -> NDArray[np.uint8] | None:
    """Return the pictures of a part (n, h, w, 3), mapped; None if its examples are no pictures."""
    tensors = part.read(test).tensors
    only = next(iter(tensors.values()))
    return only if len(tensors) == 1 and is_picture(only) else None


def is_picture(tensor: Any) -> bool:
    """Return whether a part's tensor (n, h, w, 3) has RGB pixels."""
    return tensor.dtype == np.uint8 and tensor.ndim == 4 and tensor.shape[3] == 3
