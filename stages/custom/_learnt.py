"""What training reads and returns, whatever the kind of the user's model is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.custom._part import TENSOR
from stages.tflite import part

_WANTED = "return a compiled Keras model or a scikit-learn estimator"
_OTHERS = {  # the first part of a class's module -> what to do
    "torch": "PyTorch models cannot be trained here: convert it, and use the use case export",
    "xgboost": "use HistGradientBoostingClassifier or HistGradientBoostingRegressor of scikit-learn",
    "lightgbm": "use HistGradientBoostingClassifier or HistGradientBoostingRegressor of scikit-learn",
    "catboost": "use HistGradientBoostingClassifier or HistGradientBoostingRegressor of scikit-learn",
}


@dataclass(frozen=True)
class Parts:
    """Examples and truth: the numbers of classes, or values."""

    x: NDArray[Any]  # (examples, ...)
    y: NDArray[Any]  # (examples,)
    x_test: NDArray[Any]
    target: str
    labels: tuple[str, ...]  # empty for amounts
    are_numbers: bool

    def names(self) -> NDArray[Any]:
        """Return the labels as the user wrote them: text or whole numbers."""
        return np.array([int(one) if self.are_numbers else one for one in self.labels])


@dataclass(frozen=True)
class Learnt:
    """A trained model: its number of outputs, what they are, and how training went."""

    outputs: int
    form: str  # of a decision about classes
    parameters: int
    epochs: int = 0
    val_loss: float | None = None


def read(train: Path, test: Path) -> Parts:
    """Return the parts that the stage `dataset` wrote."""
    truth = json.loads((train / "truth.json").read_text(encoding="utf-8"))
    return Parts(
        x=np.asarray(part.read(train).tensors[TENSOR]),
        y=np.load(train / "truth_target.npy", allow_pickle=False),
        x_test=np.asarray(part.read(test).tensors[TENSOR]),
        target=truth["target"],
        labels=tuple(truth["labels"]),
        are_numbers=truth["labels_are_numbers"],
    )


def kind(made: Any) -> Literal["estimator", "network"]:
    """Return what model() returned; StageError: something that cannot be trained here."""
    if isinstance(made, type):
        raise StageError(f"model() returned the class {made.__name__}: return {made.__name__}(...)")
    module = type(made).__module__.partition(".")[0]
    if module in _OTHERS:
        raise StageError(f"model() returned {type(made).__name__} of {module}: {_OTHERS[module]}")
    if _is_network(made):
        return "network"
    if hasattr(made, "fit") and hasattr(made, "predict"):
        return "estimator"
    raise StageError(f"model() returned a value of type {type(made).__name__}: {_WANTED}")


def _is_network(made: Any) -> bool:
    return any(
        base.__module__.partition(".")[0] in ("keras", "tf_keras") and base.__name__ == "Model"
        for base in type(made).__mro__
    )
