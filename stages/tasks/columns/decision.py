"""Decides from the model's output what the value of a row is: a class, or a number with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np

from engine.stage import StageError
from stages.tasks.head import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = "decision"  # in the package's constants
CLASSIFY, REGRESS = "classify", "regress"  # tasks
LEVELS, VALUE = "levels", "value"  # forms of a regression
LOGITS, PROBABILITIES = "", "probabilities"  # forms of a classification
LOW, MEDIAN, HIGH = 0.1, 0.5, 0.9  # quantiles


@dataclass(frozen=True)
class Judged:
    """What the model says about rows, each (rows,)."""

    values: "NDArray[np.float64]"  # numbers, or the number of a class
    scores: "Optional[NDArray[np.float64]]" = None  # of classes: the probability of the answer
    low: "Optional[NDArray[np.float64]]" = None  # of levels: the value lies above with 90 %
    high: "Optional[NDArray[np.float64]]" = None  # of levels: the value lies below with 90 %
    probabilities: "Optional[NDArray[np.float64]]" = None  # (rows, classes or levels)


@dataclass(frozen=True)
class Decision:
    """What the model's output means.

    target: the name of the column
    task:   classify: the output has a value for each class, or one value for the second of two classes
    form:   of a classification: empty if the values are logits, or `probabilities`. Of a regression:
            `levels`: a logit for each level; the answer is the median of their distribution, which has
            the least absolute error. `value`: a number, to be scaled
    levels: sorted values
    between: whether values between two levels occur, so that quantiles are interpolated
    """

    target: str
    task: str
    form: str = ""
    levels: Tuple[float, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0
    between: bool = False

    @classmethod
    def of(cls, constants: Mapping[str, Any]) -> Decision:
        """Return the decision in a package's constants; StageError: they have none."""
        found = constants.get(KEY)
        fields = dict(found) if isinstance(found, dict) else {}
        try:
            fields["levels"] = tuple(map(float, fields.get("levels", ())))
            decision = cls(**fields)
            is_valid = decision._is_valid()
        except (TypeError, ValueError):
            is_valid = False
        if not is_valid:
            raise StageError(
                f"the package's constants have no '{KEY}' with target and task, or one that does not "
                "make sense: package the model again"
            )
        return decision

    def as_constants(self) -> "Dict[str, Any]":
        found: Dict[str, Any] = {"target": self.target, "task": self.task}
        if self.task == CLASSIFY and self.form:
            found["form"] = self.form
        if self.task == REGRESS:
            found["form"] = self.form
            if self.form == LEVELS:
                found["levels"] = list(self.levels)
                found["between"] = self.between
            else:
                found.update(mean=self.mean, deviation=self.deviation)
        return {KEY: found}

    def judge(self, output: NDArray[Any]) -> Judged:
        """Return the judgement on rows with this output of the model (rows, values)."""
        output = np.asarray(output, np.float64)
        if self.task == REGRESS and self.form == VALUE:
            return Judged(self.mean + self.deviation * output[:, 0])
        if self.task == CLASSIFY:
            return self._of_classes(output)
        probabilities = softmax(output)
        low, middle, high = (self._quantile(probabilities, at) for at in (LOW, MEDIAN, HIGH))
        return Judged(middle, None, low, high, probabilities)

    def _of_classes(self, output: NDArray[np.float64]) -> Judged:
        """Return the class with the highest value, which rounding in a softmax must not change."""
        if output.shape[1] == 1:  # of the second of two classes
            first = 1.0 - output if self.form == PROBABILITIES else np.zeros_like(output)
            output = np.concatenate([first, output], axis=1)
        probabilities = output if self.form == PROBABILITIES else softmax(output)
        best = output.argmax(1)
        scores = probabilities[np.arange(len(best)), best]
        return Judged(best.astype(np.float64), scores, probabilities=probabilities)

    def _quantile(self, probabilities: NDArray[np.float64], at: float) -> NDArray[np.float64]:
        """Return the lowest level up to which the distribution has this share.

        Between levels, half of a level's share lies below it and half above it.
        """
        if self.between:
            middles = np.cumsum(probabilities, 1) - probabilities / 2
            return np.array([np.interp(at, one, self.levels) for one in middles])
        reached = np.cumsum(probabilities, 1) >= at
        reached[:, -1] = True  # a sum of 1 may be rounded down
        return np.asarray(self.levels, np.float64)[reached.argmax(1)]

    def _is_valid(self) -> bool:
        if not isinstance(self.target, str) or self.task not in (CLASSIFY, REGRESS):
            return False
        if self.task == CLASSIFY:
            return self.form in (LOGITS, PROBABILITIES)
        numbers = (*self.levels, self.mean, self.deviation)
        if not isinstance(self.between, bool):
            return False
        if not all(isfinite(one) for one in numbers):
            return False
        if self.form == LEVELS:
            ascends = all(low < high for low, high in zip(self.levels, self.levels[1:]))
            return len(self.levels) > 1 and ascends
        return self.form == VALUE and self.deviation > 0
