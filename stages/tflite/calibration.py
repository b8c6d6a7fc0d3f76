"""Chooses the training examples with which the ranges of a quantised model are calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tflite import part
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """Examples by input name; only the chosen ones are read."""

    examples: Mapping[str, NDArray[Any]]  # each (examples, ...)
    inputs: Mapping[str, Tensor]
    chosen: NDArray[np.int64]

    def batches(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield each chosen example in the model's form, (1, ...)."""
        for at in self.chosen:
            yield {
                name: np.asarray(self.examples[name][at : at + 1], tensor.type)
                for name, tensor in self.inputs.items()
            }


def choose(
    train: Path | None, role: str, inputs: Mapping[str, Tensor], count: int, seed: int
) -> Calibration:
    """Return up to `count` examples of the training part, or of its folder for the role.

    StageError: there is no example, or one does not fit the model or is not finite.
    """
    if train is None:
        raise StageError(
            "quantisation needs calibration examples: connect the input `train` to a data "
            "set's training part"
        )
    folder = train / role if (train / role).is_dir() else train
    data = part.read(folder)
    permuted = np.random.default_rng(seed).permutation(data.examples)
    found = Calibration(data.for_inputs(inputs), inputs, np.sort(permuted[:count]))
    for at, batch in zip(found.chosen, found.batches()):
        for name, values in batch.items():
            _check(values, f"'{name}' of training example {at}")
    return found


def _check(values: NDArray[Any], what: str) -> None:
    """Refuse values that make a range infinite, because the converter accepts them silently."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    named = "NaN" if np.isnan(values).any() else "infinity"
    raise StageError(
        f"{what} contains {named}, but calibration needs finite numbers: correct the data set"
    )
