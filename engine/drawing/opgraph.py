"""Draws a model's operators as inline SVG: which an accelerator takes, and why it leaves the
others.

Pure. Operators stand in rows by the longest path to them, and the rows in columns side by side, so
that a graph of several hundred stays on one page. Without a colour of its own: the page has the
classes `op-mapped`, `op-left` and `op-edge`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

CELL_WIDTH, CELL_HEIGHT, CELL_GAP = 136.0, 15.0, 6.0
ROW, ROWS, COLUMN_GAP = 22.0, 36, 34.0
MOST_ABREAST = 4  # operators of one row; more go on in the next
TOP, MARGIN = 34.0, 4.0
LONGEST_NAME = 20

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Op:
    """An operator: its type, and why the accelerator does not take it where it does not."""

    type: str
    is_mapped: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    column: int
    row: int
    x: float
    y: float


def svg(ops: Sequence[Op], edges: Iterable[Edge]) -> str:
    """Return the drawing; each operator's title says where it runs, and why."""
    known = sorted(
        {edge for edge in edges if 0 <= edge[0] < edge[1] < len(ops)}
    )  # operators stand in the order in which they run
    places = _places(_rows(len(ops), known))
    width = max((place.x + CELL_WIDTH for place in places.values()), default=200.0) + 3 * MARGIN
    height = max((place.y + CELL_HEIGHT for place in places.values()), default=TOP) + MARGIN
    parts = _legend(ops)
    parts += [_line(places[source], places[target]) for source, target in known]
    parts += [_cell(at, op, places[at]) for at, op in enumerate(ops)]
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return (
        '<svg class="chart" role="img" aria-label="The operators, and where each runs" '
        f"{size}>{''.join(parts)}</svg>"
    )


def _rows(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    """Return the operators in rows, each below all that it reads from."""
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


def _places(rows: Sequence[Sequence[int]]) -> dict[int, _Place]:
    """Return where each operator stands: rows downwards, then on in the next column."""
    places: dict[int, _Place] = {}
    left = MARGIN
    for column, first in enumerate(range(0, len(rows), ROWS)):
        part = rows[first : first + ROWS]
        for row, members in enumerate(part):
            for at, member in enumerate(members):
                places[member] = _Place(
                    column, row, left + at * (CELL_WIDTH + CELL_GAP), TOP + row * ROW
                )
        left += max(len(members) for members in part) * (CELL_WIDTH + CELL_GAP) + COLUMN_GAP
    return places


def _cell(at: int, op: Op, place: _Place) -> str:
    """Draw an operator; one that is left to the CPU has a dashed edge too, for who sees no colours."""
    title = escape(
        f"{at} {op.type}: "
        + ("Mapped to Edge TPU" if op.is_mapped else op.reason or "left to the CPU")
    )
    kind = "op-mapped" if op.is_mapped else "op-left"
    shape = (
        f'<rect class="{kind}" x="{place.x:.0f}" y="{place.y:.0f}" width="{CELL_WIDTH:.0f}" '
        f'height="{CELL_HEIGHT:.0f}" rx="3"/>'
    )
    name = _text(place.x + 5, place.y + 11, f"{at} {op.type[:LONGEST_NAME]}")
    return f"<g><title>{title}</title>{shape}{name}</g>"


def _line(source: _Place, target: _Place) -> str:
    """Draw an edge: straight to the next row, in a bow past others, and from column to column."""
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


def _legend(ops: Sequence[Op]) -> list[str]:
    mapped = sum(op.is_mapped for op in ops)
    parts, x = [], MARGIN
    for kind, words in (
        ("op-mapped", f"Edge TPU: {mapped}"),
        ("op-left", f"CPU: {len(ops) - mapped}"),
    ):
        parts.append(
            f'<rect class="{kind}" x="{x:.0f}" y="6" width="14" height="12" '
            f'rx="3"/>{_text(x + 20, 16, words)}'
        )
        x += 110
    return parts


def _text(x: float, y: float, words: str) -> str:
    return f'<text class="op-name" x="{x:.0f}" y="{y:.0f}">{escape(words)}</text>'
