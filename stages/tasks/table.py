"""The task `table`: what the target of a row is, from the other columns of a table.

Raw inputs are rows: the cells by the name of their column. An answer says what the model did not know about
the row: missing values, categories that training did not have, and numbers outside the training range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError
from stages.tasks.columns import decision, reading, schema
from stages.tasks.columns.cells import cleaned, key
from stages.tasks.columns.column import NUMBER
from stages.tasks.columns.decision import Decision
from stages.tasks.signature import ANY, Needs
from stages.tflite.tensor import only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.columns.decision import Judged
    from stages.tasks.columns.reading import Row
    from stages.tasks.columns.schema import Schema
    from stages.tasks.package import Package
    from stages.tasks.task import Detection

MODEL = "model"  # the role
SEES = None  # rows are not frames
DIGITS = 6  # significant digits of a number in an answer


class Table:
    """A packaged model for tables."""

    takes = "rows"
    follows = False
    picture_side = None

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels = list(package.labels)
        self._schema = schema.read(package.data(schema.FILE))
        self._decision = Decision.of(package.constants)
        self._model = package.open_role(MODEL, accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        size = only(self._model.inputs, "input").shape[-1]
        if size != self._schema.size:
            raise StageError(
                f"the model has {size} inputs, but the package's columns have {self._schema.size} "
                "components: package the model again"
            )

    def new_state(self, still: bool = False) -> None:
        return None

    def answer(self, raw: Row, state: None) -> dict[str, Any]:
        """Return the value of the target, and what is unusual about the row."""
        values = self._schema.values(raw.cells)
        (name,) = self._model.inputs
        inputs = {name: self._schema.encode(values[None])}
        (output,) = self._model.predict(inputs).values()
        judged = answered(self._decision.judge(output), self._decision, self._labels)[0]
        found: dict[str, Any] = {"row": raw.number}
        if self._schema.id in raw.cells:
            found["id"] = raw.cells[self._schema.id]
        return {**found, **judged, **unusual(self._schema, values, raw.cells)}

    def finish(self, state: None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        row = {name: one for name, one in answer.items() if not isinstance(one, (list, dict))}
        for name in ("unseen", "beyond"):
            row[name] = ", ".join(
                f"{column} = {_text(one)}" for column, one in answer[name].items()
            )
        return [{**row, "missing": ", ".join(answer["missing"])}]

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        return detections(answer)

    def draw(self, picture: Any, answer: dict[str, Any]) -> Any:
        return picture

    def read(self, path: Path) -> Iterator[Row] | None:
        return reading.rows(path, self._schema) if reading.is_readable(path) else None


def answered(judged: Judged, found: Decision, labels: list[str]) -> list[dict[str, Any]]:
    """Return for each row what is answered: value with score, or value with low and high."""
    if found.task == decision.CLASSIFY:
        names = [labels[int(at)] for at in judged.values]
        scores = [] if judged.scores is None else judged.scores.tolist()
        return [{"value": name, "score": round(score, 4)} for name, score in zip(names, scores)]
    answers = [{"value": shortened(value)} for value in judged.values.tolist()]
    if judged.low is not None and judged.high is not None:
        for one, low, high in zip(answers, judged.low.tolist(), judged.high.tolist()):
            one.update(low=shortened(low), high=shortened(high))
    return answers


def detections(answer: Mapping[str, Any]) -> list[Detection]:
    """Return the predicted value; none if the model has no number for the row."""
    if answer["value"] is None:
        return []
    score = answer.get("score")
    return [{"label": str(answer["value"]), "score": score, "box": None, "id": None}]


def shortened(value: float) -> float:
    """Return a number with a few significant digits."""
    return float(f"{value:.{DIGITS}g}")


def unusual(found: Schema, values: NDArray[np.float64], cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row with missing values, unknown categories, and numbers beyond the range."""
    missing: list[str] = []
    unseen: dict[str, str] = {}
    beyond: dict[str, float] = {}
    at = 0
    for column in found.used:
        for one in column.features:
            value = float(values[at])
            at += 1
            if np.isnan(value):
                if column.name not in missing:
                    missing.append(column.name)
            elif one.is_category and not one.part and value >= len(one.categories):
                text = cleaned(cells.get(column.name))
                if key(text) not in column.rare:
                    unseen[column.name] = text
            elif column.type == NUMBER and one.edges and not one.edges[0] <= value <= one.edges[-1]:
                beyond[column.name] = shortened(value)
    return {"missing": missing, "unseen": unseen, "beyond": beyond}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def load(package: Package, accelerator: str, runtime: str) -> Table:
    return Table(package, accelerator, runtime)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the model must have, by role."""
    found = Decision.of(constants)
    if found.task == decision.CLASSIFY:
        return {MODEL: Needs("a classifier of rows", {ANY: (1, "labels")})}
    values = len(found.levels) if found.form == decision.LEVELS else 1
    return {MODEL: Needs("a regression of rows", {ANY: (1, values)})}
