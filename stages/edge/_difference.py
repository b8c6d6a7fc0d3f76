"""Measures how far a target's outputs differ from the build machine's."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.tflite import outputs as raw_outputs
from stages.tflite.outputs import Outputs

Raw = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How raw outputs differ from those of the build machine."""

    examples: int
    outputs_differ: int  # examples whose output differs
    # of a single output, in quantisation steps; for a model with float outputs, in their unit
    max_step_difference: float
    reference_examples: int
    reference_bit_equal: bool
    machine: str  # the build machine
    runtime: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        text = f"all {self.examples} outputs are equal"
        if self.outputs_differ:
            text = (
                f"{self.outputs_differ} of {self.examples} outputs differ, by up to "
                f"{_plural(self.max_step_difference, 'quantisation step')}"
            )
        if not self.reference_bit_equal:
            return (
                f"{text}; with the reference kernels they differ too, so the file or the "
                "arithmetic is damaged"
            )
        return (
            f"{text}; with the reference kernels "
            f"{_plural(self.reference_examples, 'example')} agree bit for bit"
        )


@dataclass(frozen=True)
class Reference:
    """Outputs of the build machine: for all examples, and for chosen ones with the reference kernels."""

    default: Outputs
    reference: Outputs
    chosen: NDArray[np.int64]

    def against(self, default: Raw, reference: Raw) -> Difference:
        """Compare the outputs of another platform with these."""
        steps = np.concatenate(
            [_steps(default[name], there) for name, there in self.default.raw.items()], axis=1
        )  # (examples, outputs)
        is_equal = all(
            reference[name].tobytes() == there.tobytes()
            for name, there in self.reference.raw.items()
        )
        return Difference(
            examples=len(steps),
            outputs_differ=int((steps > 0).any(axis=1).sum()),
            max_step_difference=float(steps.max()),
            reference_examples=len(self.chosen),
            reference_bit_equal=is_equal,
            machine=self.default.about["machine"],
            runtime=self.default.about["runtime"],
        )


def read(folder: Path, model_sha256: str, examples: int) -> Reference:
    """Return the output of the stage `reference`; raise StageError if it is for another model or part."""
    default = raw_outputs.read(folder / "default")
    counts = {len(raw) for raw in default.raw.values()}
    if default.about["model_sha256"] != model_sha256 or counts != {examples}:
        raise StageError(
            "the reference belongs to another model or test part: run the stage `reference` with "
            "this model and part"
        )
    chosen = np.load(folder / "chosen.npy", allow_pickle=False)
    return Reference(default, raw_outputs.read(folder / "reference"), chosen)


def _steps(here: NDArray[Any], there: NDArray[Any]) -> NDArray[np.float64]:
    """Return the absolute differences (examples, outputs), exact for integers."""
    return np.abs(here.astype(np.float64) - there.astype(np.float64)).reshape(len(here), -1)


def _plural(count: float, noun: str) -> str:
    return f"{count:g} {noun}" if count == 1 else f"{count:g} {noun}s"
