"""A confusion matrix: how many samples of each true class were predicted as each class.

For up to 24 classes the cells show the counts. For more, the figure shows shades, some of the labels,
and a list of the most frequent confusions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Count, Label
from engine.numerals import number
from engine.svg import marks

HEADING = "Confusion matrices"
STYLE = """
.chart .cell { fill: var(--accent); } .chart .cell-number { text-anchor: middle; }
.chart .light { fill: var(--paper); } .chart .faint { fill: var(--soft); }
.chart .frame { fill: none; stroke: var(--line); } .chart .grid { stroke: var(--line); }
.ramp { display: flex; align-items: center; gap: 8px; font-size: 12px; color: var(--soft);
  margin-top: 4px; }
.ramp i { width: 90px; height: 10px; border: 1px solid var(--line);
  background: linear-gradient(90deg, var(--paper), var(--accent)); }
""".strip()
MOST_NUMBERED = 24  # classes whose counts are written into the cells
MOST_LISTED = 12  # pairs of classes that are confused most often
SHADES = 10  # in a large matrix: one path each, instead of an element for each of 22,500 cells
LONGEST_LABEL = 24
MOST_BESIDE = 600  # pixels; a wider matrix takes the full width of the page
PITCH = 11  # pixels that a label needs


class Fields(TypedDict):
    """The classes, and a row of counts for each: rows are true classes, columns predicted ones."""

    labels: Annotated[list[Label], Field(max_length=2_000)]
    matrix: list[list[Count]]


EXAMPLE: Fields = {"labels": ["cat", "dog"], "matrix": [[7, 1], [0, 9]]}


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the cells are."""

    labels: Sequence[str]
    left: float
    top: float
    cell: float

    @property
    def size(self) -> float:
        return self.cell * len(self.labels)


def check(figure: Fields) -> None:
    """Raise ValueError unless there is a row and a column for each label."""
    count, matrix = len(figure["labels"]), figure["matrix"]
    if len(matrix) != count or any(len(row) != count for row in matrix):
        raise ValueError("a confusion matrix must have a row and a column for each label")


def draw(figure: Fields) -> str:
    """Return the matrix: each row's share as the shade of a cell."""
    labels, matrix = figure["labels"], figure["matrix"]
    is_small = len(labels) <= MOST_NUMBERED
    grid = _grid([marks.clipped(label, LONGEST_LABEL) for label in labels])
    cells = _numbered(grid, matrix, labels) if is_small else _shaded(grid, matrix)
    slant = 0.77 * _longest(grid.labels) - grid.cell / 2 + 12 if is_small else 0.0
    right = grid.left + grid.size + max(12.0, slant)
    parts = [*_titles(grid), *_labels(grid, is_small), *cells]
    kind = "wide" if right > MOST_BESIDE else "own-size"
    chart = marks.chart("Confusion matrix", right, grid.top + grid.size + 4, parts, kind)
    ramp = (
        '<div class="ramp"><span>share of the true class: 0 %</span><i></i><span>100 %</span></div>'
    )
    return f'<div><div class="scroll" tabindex="0">{chart}</div>{ramp}{_confused(labels, matrix)}</div>'


def _grid(labels: Sequence[str]) -> _Grid:
    count = max(len(labels), 1)
    cell = max(26.0, min(46.0, 560 / count)) if count <= MOST_NUMBERED else max(6.0, 800 / count)
    longest = _longest(labels)
    return _Grid(labels, 34 + longest, 40 + longest * (0.66 if count <= MOST_NUMBERED else 1), cell)


def _longest(labels: Sequence[str]) -> float:
    return max((marks.width_of(label, 12) for label in labels), default=0.0)


def _titles(grid: _Grid) -> list[str]:
    return [  # at the corner, where they are visible without scrolling
        marks.text(grid.left, 14, "predicted class →", "title"),
        marks.turned(14, grid.top, "← true class", "title end", -90),
    ]


def _labels(grid: _Grid, is_small: bool) -> list[str]:
    """Return a label for each row and column, or for every few if they would overlap."""
    parts = []
    for index in range(0, len(grid.labels), ceil(PITCH / grid.cell)):
        label, middle = grid.labels[index], grid.cell * (index + 0.5)
        kind = "end" if is_small else "end tick"
        parts.append(marks.text(grid.left - 8, grid.top + middle + 4, label, kind))
        x, y, kind = grid.left + middle + 3, grid.top - 8, "" if is_small else "tick"
        parts.append(marks.turned(x, y, label, kind, -40 if is_small else -90))
    return parts


def _numbered(grid: _Grid, matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Iterator[str]:
    for i, row in enumerate(matrix):
        total = sum(row) or 1
        for j, count in enumerate(row):
            title = f"true {labels[i]}, predicted {labels[j]}: {count}"
            x, y = grid.left + j * grid.cell, grid.top + i * grid.cell
            yield _cell(x, y, grid.cell, count, count / total, title)


def _cell(x: float, y: float, size: float, count: int, share: float, title: str) -> str:
    words = number(count)
    font = min(12.0, (size - 4) / (0.58 * len(words)))
    kind = "cell-number light" if share > 0.72 else "cell-number" if count else "cell-number faint"
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{size - 1.5:.1f}" height="{size - 1.5:.1f}" rx="3"'
    at = f'x="{x + size / 2 - 0.75:.1f}" y="{y + size / 2 + font / 3 - 0.5:.1f}"'
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect class="cell" {shape} style="fill-opacity:{0.05 + 0.95 * share:.3f}"/>'
        f'<text class="{kind}" {at} style="font-size:{font:.1f}px">{words}</text></g>'
    )


def _shaded(grid: _Grid, matrix: Sequence[Sequence[int]]) -> Iterator[str]:
    """Return a path for the cells of each shade, in a frame with a rule at every tenth class."""
    yield (
        f'<rect class="frame" x="{grid.left:.1f}" y="{grid.top:.1f}" width="{grid.size:.1f}" '
        f'height="{grid.size:.1f}"/>'
    )
    for index in range(10, len(grid.labels), 10):
        x, y = grid.left + index * grid.cell, grid.top + index * grid.cell
        rows = f"M{grid.left:.1f} {y:.1f}h{grid.size:.1f}"
        yield f'<path class="grid" d="{rows}M{x:.1f} {grid.top:.1f}v{grid.size:.1f}"/>'
    shades: dict[int, list[str]] = {}
    side = f"h{grid.cell:.1f}v{grid.cell:.1f}h-{grid.cell:.1f}z"
    for i, row in enumerate(matrix):
        total = sum(row) or 1
        for j, count in enumerate(row):
            if count:
                shade = ceil(SHADES * min(1.0, max(0.15, count / total)))
                x, y = grid.left + j * grid.cell, grid.top + i * grid.cell
                shades.setdefault(shade, []).append(f"M{x:.1f} {y:.1f}{side}")
    for shade, cells in sorted(shades.items()):
        style = f"fill-opacity:{shade / SHADES:.2f}"
        yield f'<path class="cell" style="{style}" d="{"".join(cells)}"/>'


def _confused(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Return the largest off-diagonal counts as a table, because a large matrix shows no numbers."""
    pairs = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j]
    most = sorted((one for one in pairs if one[0] > 0), key=lambda one: -one[0])[:MOST_LISTED]
    if len(labels) <= MOST_NUMBERED or not most:
        return ""
    rows = "".join(_pair(labels[i], labels[j], count, sum(matrix[i])) for count, i, j in most)
    heads = "<th>True class</th><th>Predicted as</th>"
    counts = '<th class="right">Count</th><th class="right">Share of the true class</th>'
    return (
        '<p class="remark">Confused most often:</p><div class="scroll" tabindex="0"><table class="data">'
        f"<thead><tr>{heads}{counts}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _pair(true: str, predicted: str, count: int, total: int) -> str:
    words = f"<td>{escape(true)}</td><td>{escape(predicted)}</td>"
    share = f"{100 * count / (total or 1):.0f} %"
    return f'<tr>{words}<td class="right">{number(count)}</td><td class="right">{share}</td></tr>'
