"""A model's operators as a graph: which ones run on the accelerator, and why the others do not.

Operators are in rows by the longest path to them, and the rows in columns side by side, so that a
graph of several hundred operators fits on one page.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Count, Label, Text
from engine.svg import marks

HEADING = "Operators"
STYLE = """
.chart .op-name { font-size: 9.5px; }
.chart .op-edge { fill: none; stroke: var(--soft); stroke-opacity: .45; }
.chart .op-mapped { fill: color-mix(in srgb, var(--good) 15%, var(--card)); stroke: var(--good); }
.chart .op-left { fill: color-mix(in srgb, var(--warn) 15%, var(--card)); stroke: var(--warn);
  stroke-dasharray: 3 2; }
""".strip()
CELL_WIDTH, CELL_HEIGHT, CELL_GAP = 136.0, 15.0, 6.0
ROW, ROWS, COLUMN_GAP = 22.0, 36, 34.0
MOST_ABREAST = 4  # operators in one row; the others go into the next row
TOP, MARGIN = 34.0, 4.0
LONGEST_NAME = 20

Edge = tuple[int, int]


class Op(TypedDict):
    """An operator: its type, and the reason if it does not run on the accelerator."""

    type: Label
    mapped: bool
    reason: Text | None


class Fields(TypedDict):
    """The operators in the order in which they run; an edge is a pair of their indexes."""

    nodes: Annotated[list[Op], Field(max_length=100_000)]
    edges: list[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    accelerator: NotRequired[Label]  # what users call it


EXAMPLE: Fields = {
    "nodes": [
        {"type": "CONV_2D", "mapped": True, "reason": None},
        {"type": "CAST", "mapped": False, "reason": "Operation not supported"},
    ],
    "edges": [[0, 1]],
    "accelerator": "NPU",
}


@dataclass(frozen=True, slots=True)
class _Position:
    column: int
    row: int
    x: float
    y: float


def check(figure: Fields) -> None:
    """Raise ValueError if an edge refers to an operator that does not exist."""
    count = len(figure["nodes"])
    if any(not 0 <= index < count for edge in figure["edges"] for index in edge):
        raise ValueError("an edge refers to a node that does not exist")


def draw(figure: Fields) -> str:
    """Return the graph; each operator's tooltip says where it runs, and why."""
    ops, accelerator = figure["nodes"], figure.get("accelerator", "accelerator")
    edges = {(source, target) for source, target in figure["edges"] if source < target}
    known = sorted(edges)
    positions = _positions(_rows(len(ops), known))
    width = (
        max((position.x + CELL_WIDTH for position in positions.values()), default=200.0)
        + COLUMN_GAP
    )
    height = (
        max((position.y + CELL_HEIGHT for position in positions.values()), default=TOP) + MARGIN
    )
    parts = _legend(ops, accelerator)
    parts += [_line(positions[source], positions[target]) for source, target in known]
    parts += [_cell(at, op, positions[at], accelerator) for at, op in enumerate(ops)]
    chart = marks.chart("The operators, and where each runs", width, height, parts, "wide")
    return f'<div class="scroll" tabindex="0">{chart}</div>'


def _rows(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    """Return the operators in rows, each below all operators that it reads from."""
    level = [0] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        level[target] = max(level[target], level[source] + 1)
    levels: dict[int, list[int]] = defaultdict(list)
    for at, depth in enumerate(level):
        levels[depth].append(at)
    return [
        levels[depth][at : at + MOST_ABREAST]
        for depth in sorted(levels)
        for at in range(0, len(levels[depth]), MOST_ABREAST)
    ]


def _positions(rows: Sequence[Sequence[int]]) -> dict[int, _Position]:
    """Return each operator's position: rows downwards, then the next column."""
    positions: dict[int, _Position] = {}
    left = MARGIN
    for column, first in enumerate(range(0, len(rows), ROWS)):
        part = rows[first : first + ROWS]
        for row, members in enumerate(part):
            for at, member in enumerate(members):
                positions[member] = _Position(
                    column, row, left + at * (CELL_WIDTH + CELL_GAP), TOP + row * ROW
                )
        left += max(len(members) for members in part) * (CELL_WIDTH + CELL_GAP) + COLUMN_GAP
    return positions


def _cell(at: int, op: Op, position: _Position, accelerator: str) -> str:
    """Draw an operator; one on the CPU also has a dashed edge, for readers who cannot see the colours."""
    title = escape(
        f"{at} {op['type']}: "
        + (f"Mapped to {accelerator}" if op["mapped"] else op["reason"] or "left to the CPU")
    )
    kind = "op-mapped" if op["mapped"] else "op-left"
    shape = (
        f'<rect class="{kind}" x="{position.x:.0f}" y="{position.y:.0f}" width="{CELL_WIDTH:.0f}" '
        f'height="{CELL_HEIGHT:.0f}" rx="3"/>'
    )
    name = marks.text(
        position.x + 5, position.y + 11, f"{at} {op['type'][:LONGEST_NAME]}", "op-name"
    )
    return f"<g><title>{title}</title>{shape}{name}</g>"


def _line(source: _Position, target: _Position) -> str:
    """Draw an edge: straight to the next row, or curved past other rows and between columns."""
    middle = CELL_WIDTH / 2
    if source.column == target.column and target.row == source.row + 1:
        path = f"M{source.x + middle:.0f} {source.y + CELL_HEIGHT:.0f}L{target.x + middle:.0f} {target.y:.0f}"
    elif source.column == target.column:
        bow = min(12.0 + target.row - source.row, COLUMN_GAP - CELL_GAP)
        right = max(source.x, target.x) + CELL_WIDTH + bow
        y1, y2 = source.y + CELL_HEIGHT / 2, target.y + CELL_HEIGHT / 2
        path = (
            f"M{source.x + CELL_WIDTH:.0f} {y1:.0f}C{right:.0f} {y1:.0f} {right:.0f} {y2:.0f} "
            f"{target.x + CELL_WIDTH:.0f} {y2:.0f}"
        )
    else:
        x1, y1, x2, y2 = (
            source.x + CELL_WIDTH,
            source.y + CELL_HEIGHT / 2,
            target.x,
            target.y + CELL_HEIGHT / 2,
        )
        half = (x1 + x2) / 2
        path = f"M{x1:.0f} {y1:.0f}C{half:.0f} {y1:.0f} {half:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path class="op-edge" d="{path}"/>'


def _legend(ops: Sequence[Op], accelerator: str) -> list[str]:
    mapped = sum(op["mapped"] for op in ops)
    parts, x = [], MARGIN
    for kind, words in (
        ("op-mapped", f"{accelerator}: {mapped}"),
        ("op-left", f"CPU: {len(ops) - mapped}"),
    ):
        parts.append(
            f'<rect class="{kind}" x="{x:.0f}" y="6" width="14" height="12" '
            f'rx="3"/>{marks.text(x + 20, 16, words, "op-name")}'
        )
        x += 110
    return parts
