"""What a conversion returns, and how it refuses an estimator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.stage import StageError
from stages.estimators.archive import Written

EXACT = (
    "linear models, LinearSVC, MLPs, decision trees, random forests, extra trees and gradient boosting, "
    "alone or after SimpleImputer, StandardScaler or MinMaxScaler in a Pipeline"
)


@dataclass(frozen=True)
class Converted:
    """The steps of an estimator, and what its outputs are.

    form: value, or for classes: logits (their softmax are the probabilities), probabilities, or margins
          (only their order means something)
    """

    steps: Sequence[Written]
    outputs: int
    form: str


def refused(estimator: Any, why: str, fix: str = "") -> StageError:
    """Return the error for an estimator that cannot be converted exactly."""
    name = type(estimator).__name__
    return StageError(
        f"{name} cannot be packed: {why}. {fix or f'These can be packed exactly: {EXACT}'}"
    )
