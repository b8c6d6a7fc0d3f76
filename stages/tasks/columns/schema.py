"""The columns that a model was trained with, written to columns.json and read from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from engine.stage import StageError
from stages.tasks.columns import cells, dates
from stages.tasks.columns.column import (
    CATEGORY,
    DATE,
    FEATURE,
    LEFT_OUT,
    NUMBER,
    PARTS,
    TARGET,
    Column,
    Feature,
    Reader,
)
from stages.tasks.columns.encoding import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "columns.json"
BINS, AS_IS = "bins", "as is"  # encodings


@dataclass(frozen=True)
class Schema:
    """The columns in the order of the training table, and the target.

    has_header: the training table had a line with the names; otherwise columns are known by their place
    encoding:   bins: see stages.tasks.columns.encoding; as is: the model is given the numbers themselves
    id:         the name of the column that names a row, or empty
    """

    columns: Tuple[Column, ...]
    has_header: bool = True
    encoding: str = BINS
    id: str = ""
    features: Tuple[Feature, ...] = field(init=False, compare=False)
    used: Tuple[Column, ...] = field(init=False, compare=False)
    _encoder: Encoder = field(init=False, repr=False, compare=False)
    _readers: "List[Tuple[str, Reader]]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        used = tuple(one for one in self.columns if one.role == FEATURE)
        object.__setattr__(self, "used", used)
        features = tuple(feature for one in used for feature in one.features)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "_encoder", Encoder(features))
        object.__setattr__(self, "_readers", [(one.name, one.reader()) for one in used])

    @property
    def size(self) -> int:
        """The number of values in the model's input."""
        return self._encoder.size if self.encoding == BINS else len(self.features)

    @property
    def target(self) -> "Column | None":
        return next((one for one in self.columns if one.role == TARGET), None)

    def values(self, row: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the values (features,) of a row's cells by name of column; NaN: missing."""
        found = [value for name, reader in self._readers for value in reader.values(row.get(name))]
        return np.array(found, np.float64)

    def encode(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Return the model's input (rows, size) for values (rows, features): uint8, or the values as is.

        As is, values that training lacked too stay NaN: the model knows what to do with them.
        """
        if self.encoding == BINS:
            return self._encoder.encode(values)
        stays = np.array([one.has_missing for one in self.features])
        return np.where(stays, values, self._encoder.filled(values))

    def spans(self) -> "Dict[str, Tuple[int, int]]":
        """Return the first component of each column in the model's input, and the one after its last."""
        found, start = {}, 0
        for one in self.used:
            sizes = [feature.size if self.encoding == BINS else 1 for feature in one.features]
            found[one.name] = (start, start + sum(sizes))
            start += sum(sizes)
        return found

    def write(self, folder: Path) -> None:
        """Write columns.json into the folder, which is created if it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_json(), ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    def as_json(self) -> "Dict[str, Any]":
        spans = self.spans()
        columns = [
            {**_column_json(one), **({"span": spans[one.name]} if one.name in spans else {})}
            for one in self.columns
        ]
        return {
            "v": 1,
            "target": self.target.name if self.target else None,
            "has_header": self.has_header,
            "encoding": self.encoding,
            "id": self.id,
            "size": self.size,
            "columns": columns,
        }


def read(folder: Path) -> Schema:
    """Return the schema in a folder; StageError: its file is damaged."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        columns = tuple(map(_column, data["columns"]))
        found = Schema(columns, bool(data["has_header"]), str(data["encoding"]), str(data["id"]))
        why = _fault(found, data)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(repr(error)) from None
    if why:
        raise _damaged(why)
    return found


def _column_json(column: Column) -> "Dict[str, Any]":
    """Return a column without the fields that have their default value."""
    found = {**asdict(column), "features": [asdict(one) for one in column.features]}
    always = ("name", "type", "role", "missing")
    return {name: value for name, value in found.items() if value or name in always}


def _column(data: "Dict[str, Any]") -> Column:
    fields = {name: value for name, value in data.items() if name != "span"}
    features = tuple(_feature(one) for one in fields.pop("features", ()))
    fields["rare"] = tuple(map(str, fields.get("rare", ())))
    return Column(**fields, features=features)


def _feature(data: "Dict[str, Any]") -> Feature:
    edges = tuple(map(float, data.get("edges", ())))
    categories = tuple(map(str, data.get("categories", ())))
    return Feature(**{**data, "edges": edges, "categories": categories})


def _fault(schema: Schema, data: "Dict[str, Any]") -> str:
    """Return what contradicts itself, or an empty text."""
    if schema.encoding not in (BINS, AS_IS):
        return f"its encoding is {schema.encoding!r}"
    names = [one.name for one in schema.columns]
    if len(set(names)) < len(names):
        return "two columns have the same name"
    if why := next(filter(None, map(_fault_of, schema.columns)), ""):
        return why
    if data["size"] != schema.size or not schema.size:
        return f"its size is {data['size']}, but its columns have {schema.size} components"
    return ""


def _fault_of(column: Column) -> str:
    for problem in _faults_of(column):
        return f"column {column.name!r}: {problem}"
    return ""


def _faults_of(column: Column) -> Iterator[str]:
    if column.role not in (FEATURE, TARGET, LEFT_OUT):
        yield f"its role is {column.role!r}"
    if column.role == FEATURE and column.type not in (NUMBER, CATEGORY, DATE):
        yield f"its type is {column.type!r}"
    if column.decimal not in (cells.POINT, cells.COMMA):
        yield f"its decimal sign is {column.decimal!r}"
    if column.type == DATE and column.features and column.form not in dates.FORMS:
        yield f"its form is {column.form!r}"
    for one in column.features:
        if column.type == DATE and one.part not in PARTS:
            yield f"it has the part {one.part!r}"
        if not all(map(isfinite, (*one.edges, one.median))):
            yield "an edge is not finite"
        if any(low >= high for low, high in zip(one.edges, one.edges[1:])):
            yield "the edges do not ascend"


def _damaged(why: str) -> StageError:
    return StageError(f"the package's {FILE} is damaged ({why}): package the model again")
