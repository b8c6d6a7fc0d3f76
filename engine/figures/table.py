"""A table: columns with units, and a row for each item."""

from html import escape
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Count, Finite, Label, Name, Text
from engine.numerals import number
from engine.svg.axes import titled

HEADING = "Tables"
STYLE = ""
MOST_SHOWN = 200  # rows

Cell = Text | bool | Count | Finite | None


class Column(TypedDict):
    """The name and the unit of a column."""

    name: Name
    unit: Label | None


class Fields(TypedDict):
    """The columns, and the rows with a value for each."""

    columns: Annotated[list[Column], Field(min_length=1, max_length=50)]
    rows: Annotated[list[list[Cell]], Field(max_length=10_000)]


EXAMPLE: Fields = {
    "columns": [{"name": "class", "unit": None}, {"name": "recall", "unit": "%"}],
    "rows": [["walking", 98.25], ["sitting", None]],
}


def check(figure: Fields) -> None:
    """Raise ValueError unless each row has a value for each column."""
    width = len(figure["columns"])
    for index, row in enumerate(figure["rows"]):
        if len(row) != width:
            raise ValueError(f"row {index} must have a value for each of the {width} columns")


def draw(figure: Fields) -> str:
    """Return the table; columns of numbers are right-aligned."""
    rows, columns = figure["rows"][:MOST_SHOWN], range(len(figure["columns"]))
    sides = [_side([row[column] for row in figure["rows"]]) for column in columns]
    titles = [titled(column["name"], column["unit"]) for column in figure["columns"]]
    head = "".join(f"<th{s}>{escape(title)}</th>" for s, title in zip(sides, titles, strict=True))
    body = "".join(f"<tr>{_cells(row, sides)}</tr>" for row in rows)
    more = len(figure["rows"]) - len(rows)
    rest = f'<p class="remark">{more} more rows are in the journal.</p>' if more else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="data"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{rest}</div>"
    )


def _cells(row: list[Cell], sides: list[str]) -> str:
    cells = zip(row, sides, strict=True)
    return "".join(f"<td{side}>{escape(_words(value))}</td>" for value, side in cells)


def _words(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value, grouped=True)


def _side(values: list[Cell]) -> str:
    """Return the class of a column, which is right-aligned if it has numbers and no words."""
    is_number = any(_is_number(value) for value in values)
    return ' class="right"' if is_number and not any(map(_is_word, values)) else ""


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_word(value: Cell) -> bool:
    return isinstance(value, str | bool)
