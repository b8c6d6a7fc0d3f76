"""Decides from the model's output which intent a sentence has, and whether it has any."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from engine.stage import StageError
from stages.tasks.head import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = "decision"  # in the package's constants


@dataclass(frozen=True)
class Judged:
    """What the model says about sentences."""

    probabilities: NDArray[np.float32]  # (n, classes), if the sentence has one of the intents
    confidence: NDArray[np.float32]  # (n,) 0 to 1: that it has the most probable intent


@dataclass(frozen=True)
class Decision:
    """What training found on the validation sentences.

    threshold:   the confidence from which a sentence is answered
    temperature: divides the model's logits
    nothing:     the logit of a further class for sentences that have none of the intents. It is the
                 same for all sentences: their own logits are low if no intent fits
    """

    threshold: float
    temperature: float
    nothing: float

    @classmethod
    def of(cls, constants: Mapping[str, Any]) -> Decision:
        """Return the decision in a package's constants; StageError: they have none."""
        found = constants.get(KEY)
        names = ("threshold", "temperature", "nothing")
        values: list[Any] = [found.get(name) for name in names] if isinstance(found, dict) else []
        if not values or not all(map(_is_number, values)) or values[1] <= 0:
            raise StageError(
                f"the package's constants have no '{KEY}' with {', '.join(names)}: package the model "
                "again"
            )
        return cls(*map(float, values))

    def judge(self, output: NDArray[np.float32]) -> Judged:
        """Return the judgement on sentences with this output of the model, logits (n, classes)."""
        logits = np.asarray(output, np.float32) / np.float32(self.temperature)
        nothing = np.full((len(logits), 1), self.nothing / self.temperature, np.float32)
        confidence = softmax(np.concatenate([logits, nothing], 1))[:, :-1].max(1)
        return Judged(softmax(logits), confidence)

    def as_constants(self) -> "dict[str, Any]":
        return {KEY: asdict(self)}


def outputs(classes: int) -> int:
    """Return the number of values in the model's output."""
    return classes


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
