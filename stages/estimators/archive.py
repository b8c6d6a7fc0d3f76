"""Reads and writes fitted estimators: one `.npz` file, without pickles.

`about` is JSON as bytes: the kinds of the steps with their single values, and the number of outputs. The
arrays of step 0 are called `0.weights`, `0.bias` and so on.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Tuple

import numpy as np

from engine.stage import StageError
from stages.estimators.steps import KINDS, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".npz"
_VERSION = 1
_MOST_NUMBERS = 4_000_000  # in memory at the same time
_MOST_ROWS = 256  # at the same time
_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError, EOFError)
_DAMAGE_OF_ZIP = (zipfile.BadZipFile, zlib.error, RecursionError)


@dataclass(frozen=True)
class Written:
    """A step as it is stored: its kind, single values, and arrays."""

    kind: str
    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Estimator:
    """A fitted estimator: rows of numbers in, outputs out."""

    steps: Tuple[Step, ...]
    features: int
    outputs: int
    rows_at_once: int

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the outputs (rows, outputs) for rows (rows, features); the same for a row, alone or not."""
        parts = [
            self._predict(np.asarray(x[at : at + self.rows_at_once], np.float64))
            for at in range(0, len(x), self.rows_at_once)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.outputs))

    def _predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        for step in self.steps:
            x = step(x)
        return x


def assembled(steps: Sequence[Written], features: int, outputs: int) -> Estimator:
    """Return the estimator with these steps; StageError: they do not fit together."""
    made, largest = [], 1
    for step in steps:
        if step.kind not in KINDS:
            raise StageError(f"the model has the unknown step '{step.kind}': update this program")
        function, numbers = KINDS[step.kind](dict(step.arrays), dict(step.about))
        made.append(function)
        largest = max(largest, numbers)
    rows = int(np.clip(_MOST_NUMBERS // largest, 1, _MOST_ROWS))
    found = Estimator(tuple(made), features, outputs, rows)
    if found.predict(np.zeros((1, features))).shape != (1, outputs):
        raise StageError("the steps of the model do not fit together")
    return found


def write(path: Path, steps: Sequence[Written], features: int, outputs: int) -> None:
    """Write the estimator; the same steps give the same bytes."""
    about = {
        "v": _VERSION,
        "features": features,
        "outputs": outputs,
        "steps": [{**step.about, "kind": step.kind} for step in steps],
    }
    arrays = {
        f"{at}.{name}": array
        for at, step in enumerate(steps)
        for name, array in step.arrays.items()
    }
    text = json.dumps(about, sort_keys=True).encode()
    with path.open("wb") as file:
        np.savez_compressed(file, about=np.frombuffer(text, np.uint8), **arrays)


def read(path: Path) -> Estimator:
    """Return the estimator in a file; StageError: it is damaged or has a newer version."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes().decode("utf-8"))
            arrays = {name: stored[name] for name in stored.files if name != "about"}
        if about["v"] != _VERSION:
            raise StageError(f"{path.name} has version {about['v']}: update this program")
        steps = [_step(at, one, arrays) for at, one in enumerate(about["steps"])]
        return assembled(steps, int(about["features"]), int(about["outputs"]))
    except (*_DAMAGE, *_DAMAGE_OF_ZIP) as error:
        raise StageError(
            f"{path.name} is not an estimator as arrays, or is damaged ({str(error)[:100]}): train the "
            "model again"
        ) from None


def _step(at: int, about: "dict[str, Any]", arrays: "Mapping[str, NDArray[Any]]") -> Written:
    prefix = f"{at}."
    own = {name[len(prefix) :]: one for name, one in arrays.items() if name.startswith(prefix)}
    return Written(about["kind"], {k: v for k, v in about.items() if k != "kind"}, own)
