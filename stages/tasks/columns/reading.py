"""Reads the rows of a user's file for a packed model: CSV and the like, or JSON with an object for each row.

Columns are found by their names, in any order, or by their places if the training table had no names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from engine.stage import note
from stages.media.unreadable import Unreadable
from stages.tasks.columns import cells, delimited
from stages.tasks.columns.column import NUMBER
from stages.tasks.text import reading

if TYPE_CHECKING:
    from stages.tasks.columns.schema import Schema

JSON = (".json", ".jsonl", ".ndjson")
NAMED = 8  # maximum number of columns named in one sentence


@dataclass(frozen=True)
class Row:
    """The cells of a row by the name of their column, and its number, from 1."""

    number: int
    cells: Mapping[str, Any]


def is_readable(path: Path) -> bool:
    """Return whether the file has the suffix of a table."""
    return path.suffix.lower() in (*delimited.SUFFIXES, *JSON)


def rows(path: Path, schema: Schema) -> Iterator[Row]:
    """Yield the rows of a file; Unreadable: it has none, lacks a column, or one of its rows is damaged.

    The whole file is read first, so that no row is answered if a later one is damaged.
    """
    if path.stat().st_size > reading.MOST_BYTES:
        raise Unreadable(f"it is larger than {reading.MOST_BYTES // 1_000_000} MB")
    text = delimited.text_of(path.read_bytes(), path.name)
    read = _of_json if path.suffix.lower() in JSON else _of_text
    found = list(read(text, schema))
    if not found:
        raise Unreadable("it has no row")
    for number, row in enumerate(found, 1):
        yield Row(number, row)


def _of_text(text: str, schema: Schema) -> Iterator[Mapping[str, Any]]:
    delimiter = delimited.sniffed(text, lambda first: _fit(first, schema))
    found = delimited.records(text, delimiter)
    first = next(found, None)
    if first is None:
        return
    if schema.has_header:
        names = _known(first.cells, schema)
    else:
        names = _placed(first.cells, schema)
        if not _is_header(first.cells, names, schema):
            yield dict(zip(names, first.cells))
    width = len(first.cells)
    for record in found:
        short = width - len(record.cells)
        if short > 0 or any(map(str.strip, record.cells[width:])):
            raise Unreadable(
                f"line {record.line} has {_cells(len(record.cells))} instead of {width}: put quotes around "
                "a text that contains the separator"
            )
        yield dict(zip(names, record.cells))


def _fit(first: "Sequence[str]", schema: Schema) -> int:
    """Return how many of the columns the cells of the first line may be."""
    if not schema.has_header:
        return int(len(first) in _widths(schema))
    return len({cells.key(one) for one in first} & {cells.key(one.name) for one in schema.columns})


def _known(header: "Sequence[str]", schema: Schema) -> List[str]:
    """Return the name of each column as in training; Unreadable: one is missing."""
    places = {cells.key(one.name): one.name for one in schema.columns}
    names = [places.get(cells.key(one), "") for one in header]
    _check(names, header, schema, "its first line must have the names of the columns")
    if others := [one for one, name in zip(header, names) if one.strip() and not name]:
        note(f"ignored {_columns(others)} that the model does not know: {_listed(others)}")
    return names


def _check(names: "Sequence[str]", found: "Sequence[str]", schema: Schema, how: str) -> None:
    lacking = [one.name for one in schema.used if one.name not in names]
    if not lacking:
        return
    near = get_close_matches(lacking[0], [one for one in found if one.strip()], 1)
    if near:
        hint = f"if its '{near[0]}' is '{lacking[0]}', rename it"
    else:
        hint = f"{how}: {_listed([one.name for one in schema.used])}"
    raise Unreadable(f"it lacks the {_columns(lacking)} {_listed(lacking)}; {hint}")


def _widths(schema: Schema) -> "Tuple[int, int]":
    """Return the number of columns with and without the target."""
    return len(schema.columns), len(schema.columns) - 1


def _placed(first: "Sequence[str]", schema: Schema) -> List[str]:
    """Return the name of each column by its place; the target may be left out."""
    names = [one.name for one in schema.columns]
    whole, without = _widths(schema)
    if len(first) == whole:
        return names
    if len(first) == without and schema.target:
        return [name for name in names if name != schema.target.name]
    raise Unreadable(
        f"its first line has {len(first)} cells instead of {without}, or of {whole} with the target: give "
        "the columns of the training data, in the same order"
    )


def _is_header(first: "Sequence[str]", names: "Sequence[str]", schema: Schema) -> bool:
    """Return whether the line has words in all places where the model expects numbers."""
    numbers = {one.name: one.decimal for one in schema.used if one.type == NUMBER}
    cells_of = [(cell, numbers[name]) for cell, name in zip(first, names) if name in numbers]
    return bool(cells_of) and all(
        cells.number(cells.cleaned(cell), decimal) is None
        and not cells.is_no_number(cells.cleaned(cell))
        for cell, decimal in cells_of
    )


def _of_json(text: str, schema: Schema) -> Iterator[Mapping[str, Any]]:
    places = {cells.key(one.name): one.name for one in schema.columns}
    ignored: Dict[str, None] = {}
    for where, found in objects(text):
        if not isinstance(found, dict):
            raise Unreadable(f'{where} is no object: write {{"{schema.used[0].name}": ...}}')
        row = {places.get(cells.key(name)): value for name, value in found.items()}
        if not row.keys() & {one.name for one in schema.used}:
            _check([], list(found), schema, f"{where}: name the columns")
        ignored.update({name: None for name in found if cells.key(name) not in places})
        yield {name: value for name, value in row.items() if name is not None}
    if ignored:
        others = list(ignored)
        note(f"ignored {_columns(others)} that the model does not know: {_listed(others)}")


def objects(text: str) -> "Iterator[Tuple[str, Any]]":
    """Yield the entries of a list, a single object, or the objects of lines."""
    whole = _parsed(text)
    if isinstance(whole, list):
        for at, one in enumerate(whole, 1):
            yield f"entry {at}", one
    elif whole is not None:
        yield "the file", whole
    else:
        for at, line in enumerate(text.split("\n"), 1):
            if line.strip():
                found = _parsed(line)
                if found is None:
                    raise Unreadable(
                        f"line {at} is not JSON: write a list of objects, or one object on each line"
                    )
                yield f"line {at}", found


def _parsed(text: str) -> Optional[Any]:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _columns(names: "Sequence[str]") -> str:
    return "column" if len(names) == 1 else f"{len(names)} columns"


def _listed(names: "Sequence[str]") -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
