"""A heat map: the value for each combination of two parameters. Pure.

Its cells have the style of a confusion matrix: engine/figures/confusion_matrix.py.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from engine.numerals import number
from engine.svg import marks

MOST_CELLS = 400
_WIDTH, _HEIGHT, _TOP = 84.0, 40.0, 46.0
_LONGEST = 18  # characters of a label

Cells = Mapping[tuple[str, str], tuple[float | None, str]]  # column, row -> value, remark


def draw(titles: tuple[str, str], columns: Sequence[str], rows: Sequence[str], cells: Cells) -> str:
    """Return the map as SVG. A cell without a value shows its remark.

    titles: of the columns and of the rows. The shade is the value's place between the lowest and the
    highest one.
    """
    corner = f"{titles[1]} ↓   {titles[0]} →"
    left = 16 + max((marks.width_of(marks.clipped(row, _LONGEST), 12) for row in rows), default=0)
    values = [one for one, _ in cells.values() if one is not None and math.isfinite(one)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    parts = [
        marks.text(4, 14, corner, "title"),
    ]
    for at, column in enumerate(columns):
        x = left + _WIDTH * (at + 0.5)
        parts.append(marks.text(x, _TOP - 10, marks.clipped(column, 12), "middle"))
    for at, row in enumerate(rows):
        y = _TOP + _HEIGHT * (at + 0.5)
        parts.append(marks.text(left - 8, y + 4, marks.clipped(row, _LONGEST), "end"))
    for (column, row), (value, remark) in cells.items():
        x, y = left + _WIDTH * columns.index(column), _TOP + _HEIGHT * rows.index(row)
        title = f"{titles[0]} {column}, {titles[1]} {row}: {remark}"
        parts.append(_cell(x, y, value, _share(value, low, high), remark, title))
    width = max(left + _WIDTH * len(columns), marks.width_of(corner, 12) + 4)
    size = (width + 12, _TOP + _HEIGHT * len(rows) + 6)
    chart = marks.chart("Heat map", *size, parts, "own-size")
    return f'<div class="scroll" tabindex="0">{chart}</div>'


def _share(value: float | None, low: float, high: float) -> float:
    if value is None or not math.isfinite(value):
        return 0.0
    return (value - low) / (high - low) if high > low else 0.5


def _cell(x: float, y: float, value: float | None, share: float, remark: str, title: str) -> str:
    words = marks.clipped(remark, 12) if value is None else number(value)
    kind = "faint" if value is None else "light" if share > 0.72 else ""
    opacity = 0.04 if value is None else 0.08 + 0.92 * share
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{_WIDTH - 2:.1f}" height="{_HEIGHT - 2:.1f}" rx="3"'
    text = marks.text(x + _WIDTH / 2 - 1, y + _HEIGHT / 2 + 3, words, f"cell-number {kind}".strip())
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect class="cell" {shape} style="fill-opacity:{opacity:.3f}"/>{text}</g>'
    )
