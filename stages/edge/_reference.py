"""What the build machine made of the test examples, and by how much the target differs from it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError


@dataclass(frozen=True, slots=True)
class Difference:
    """How raw outputs differ from those of the build machine."""

    examples: int
    outputs_differ: int  # examples with another output
    # of a single output, in quantisation steps; of a model with float outputs, in their unit
    max_step_difference: float
    reference_examples: int
    reference_bit_equal: bool

    def __str__(self) -> str:
        said = f"all {self.examples} outputs are the same"
        if self.outputs_differ:
            said = (
                f"{self.outputs_differ} of {self.examples} outputs differ, by up to "
                f"{_plural(self.max_step_difference, 'quantisation step')}"
            )
        if not self.reference_bit_equal:
            return (
                f"{said}; with the reference kernels they differ too, so file or arithmetic did not "
                "arrive whole"
            )
        return (
            f"{said}; with the reference kernels {_plural(self.reference_examples, 'example')} "
            "agree to the bit"
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """Raw outputs of the build machine: `default` (examples, classes), `reference` (chosen,
    classes).
    """

    default: NDArray[np.generic]
    reference: NDArray[np.generic]
    chosen: NDArray[np.int64]
    runtime: str
    machine: str

    def against(self, default: NDArray[np.generic], reference: NDArray[np.generic]) -> Difference:
        """Compare the outputs of another platform with these."""
        steps = np.abs(default.astype(np.float64) - self.default.astype(np.float64)).reshape(
            len(default), -1
        )  # exact for integers
        return Difference(
            examples=len(default),
            outputs_differ=int((steps > 0).any(axis=1).sum()),
            max_step_difference=float(steps.max()),
            reference_examples=len(self.chosen),
            reference_bit_equal=reference.tobytes() == self.reference.tobytes(),
        )


def read(folder: Path, int8_model: Path, examples: int) -> Reference:
    """Return what the stage `reference` wrote; StageError where it is of another model or test
    part.
    """
    about = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    default, plain, chosen = (
        np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in ("default", "reference", "chosen")
    )
    if (
        about["model_sha256"] != hashlib.sha256(int8_model.read_bytes()).hexdigest()
        or len(default) != examples
    ):
        raise StageError(
            "the reference is of another model or test part than the one that is evaluated: run the "
            "stage `reference` on these"
        )
    return Reference(default, plain, chosen, about["runtime"], about["machine"])


def _plural(count: float, noun: str) -> str:
    return f"{count:g} {noun}" if count == 1 else f"{count:g} {noun}s"
