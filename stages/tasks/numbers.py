"""The task `numbers`: what a model of the user's own says about examples that consist of numbers.

Raw inputs are rows of a table, if an example is one row, or arrays of any shape in .npy and .npz files.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping

import numpy as np

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.tasks.columns import decision, reading, schema
from stages.tasks.columns.decision import Decision
from stages.tasks.columns.reading import Row
from stages.tasks.signature import ANY, Needs
from stages.tasks.table import answered, detections, unusual
from stages.tflite import arrays
from stages.tflite.tensor import only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.package import Package
    from stages.tasks.task import Detection

MODEL = "model"  # the role
SEES = None  # numbers are not frames


@dataclass(frozen=True)
class Example:
    """An example from a file of arrays, and its number in the file, from 1."""

    number: int
    values: NDArray[Any]


class Numbers:
    """A packaged model for examples of numbers."""

    takes = "rows"
    follows = False
    picture_side = None

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels = list(package.labels)
        self._decision = Decision.of(package.constants)
        self._model = package.open_role(MODEL, accelerator, runtime)
        self._input = only(self._model.inputs, "input")
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        has_columns = f"data/{schema.FILE}" in package.named
        self._schema = schema.read(package.folder / "data") if has_columns else None
        if not self._schema:
            self.takes = "tensors"
        if self._schema and self._schema.size != np.prod(self._input.shape[1:]):
            raise StageError(
                f"the model needs {self._input}, but the package's columns have {self._schema.size} "
                "values: package the model again"
            )

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: Row | Example, state: None) -> dict[str, Any]:
        """Return the value that the model predicts; of a row also what is unusual about it."""
        if isinstance(raw, Example):
            return {"row": raw.number, **self._judged(raw.values)}
        assert self._schema
        values = self._schema.values(raw.cells)
        found = unusual(self._schema, values, raw.cells)
        return {"row": raw.number, **self._judged(self._schema.encode(values[None])), **found}

    def _judged(self, values: NDArray[Any]) -> dict[str, Any]:
        inputs = {self._input.name: values.reshape(self._input.shape)}
        (output,) = self._model.predict(inputs).values()
        judged = self._decision.judge(output.reshape(1, -1))
        found = answered(judged, self._decision, self._labels)[0]
        if not all(isfinite(one) for one in found.values() if isinstance(one, float)):
            return {
                **found,
                "value": None,
                "score": 0.0,
            }  # the model cannot cope with a missing value
        return found

    def finish(self, state: None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        row = {name: one for name, one in answer.items() if not isinstance(one, (list, dict))}
        if "missing" in answer:
            beyond = [f"{column} = {one}" for column, one in answer["beyond"].items()]
            row.update(missing=", ".join(answer["missing"]), beyond=", ".join(beyond))
        return [row]

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        return detections(answer)

    def draw(self, picture: Any, answer: dict[str, Any]) -> Any:
        return picture

    def read(self, path: Path) -> Iterator[Row | Example] | None:
        """Return the examples in a file; iteration raises Unreadable if they do not fit the model."""
        if arrays.is_array(path):
            return self._examples(path)
        if self._schema and reading.is_readable(path):
            return reading.rows(path, self._schema)
        return None

    def _examples(self, path: Path) -> Iterator[Example]:
        try:
            found = arrays.read(path, self._model.inputs)
        except arrays.Misfit as error:
            raise Unreadable(str(error)) from None
        for at, one in enumerate(found, 1):
            yield Example(at, one[self._input.name][None])


def load(package: Package, accelerator: str, runtime: str) -> Numbers:
    return Numbers(package, accelerator, runtime)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the model must have, by role; two classes may share one output."""
    is_classifier = Decision.of(constants).task == decision.CLASSIFY
    if is_classifier and constants.get("outputs") != 1:
        return {MODEL: Needs("a classifier of numbers", {ANY: (1, "labels")})}
    return {MODEL: Needs("a model with one number as output", {ANY: (1, 1)})}
