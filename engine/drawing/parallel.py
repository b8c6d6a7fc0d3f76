"""Parallel coordinates: an axis for each parameter and each objective, and a line for each job. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from engine.numerals import number
from engine.svg import marks
from engine.svg.axes import Axis, padded, tick_words

STYLE = """
.parallel .line { fill: none; stroke: var(--series-0); stroke-width: 1.8; }
.parallel .line-best { stroke: var(--series-1); stroke-width: 3; }
.parallel .line-rejected { stroke: var(--soft); stroke-dasharray: 5 4; }
.parallel .end-best { fill: var(--series-1); } .parallel .end-finished { fill: var(--series-0); }
.parallel .end-rejected { fill: var(--soft); }
.parallel .halo { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
""".strip()
MOST_VALUES = 8  # a column with more distinct values has a scale instead of a mark for each
_LOG_FROM = 50.0  # largest to smallest value of a logarithmic scale
_PITCH, _HEIGHT, _TOP, _BOTTOM = 150.0, 320.0, 40.0, 18.0
_LONGEST_TITLE, _LONGEST_TICK = 22, 16
_MOST_BESIDE = 3  # columns of a chart that leaves room for another one beside it

Kind = Literal["best", "finished", "rejected"]
Value = float | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """An axis: its title, and the value of each line; None for a line that does not cross it."""

    title: str
    values: Sequence[Value]
    is_measured: bool = False  # an objective, which has a linear scale even if it has few values


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what it is called, and how it ended."""

    label: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Scale:
    """The position of each value on its axis, from 0 (bottom) to 1, and the axis' marks."""

    shares: Sequence[float | None]
    marks: Sequence[tuple[float, str]]


def draw(columns: Sequence[Column], lines: Sequence[Line]) -> str:
    """Return the chart as SVG; the best line is drawn last, above the others."""
    scales = [_scale(column) for column in columns]
    left = 26 + max((marks.width_of(words) for _, words in scales[0].marks), default=0.0)
    xs = [left + _PITCH * index for index in range(len(columns))]
    parts = []
    order = sorted(
        range(len(lines)), key=lambda at: ("rejected", "finished", "best").index(lines[at].kind)
    )
    for at in order:
        points = [
            (x, _y(share))
            for x, scale in zip(xs, scales, strict=True)
            if (share := scale.shares[at]) is not None
        ]
        parts += _line(lines[at], points)
    for x, column, scale in zip(xs, columns, scales, strict=True):
        parts += _axis(x, column.title, scale)
    kind = "own-size parallel" + (" many" if len(columns) > _MOST_BESIDE else "")
    chart = marks.chart("Parallel coordinates", xs[-1] + 60, _HEIGHT, parts, kind)
    return f'<div class="scroll" tabindex="0">{chart}</div>'


def _line(line: Line, points: Sequence[tuple[float, float]]) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle class="end-{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>' for x, y in points
    )
    shape = f'<polyline class="line line-{line.kind}" points="{path}"/>'
    return [f"<g><title>{escape(line.label)}</title>{shape}{dots}</g>"]


def _axis(x: float, title: str, scale: _Scale) -> list[str]:
    top, bottom = _y(1.0), _y(0.0)
    parts = [
        f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>',
        marks.text(x, 18, marks.clipped(title, _LONGEST_TITLE), "title middle halo"),
    ]
    for share, words in scale.marks:
        label = marks.clipped(words, _LONGEST_TICK)
        parts.append(marks.text(x - 8, _y(share) + 3.8, label, "tick end halo"))
    return parts


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _scale(column: Column) -> _Scale:
    values = column.values
    known = [value for value in values if value is not None]
    numbers = [value for value in known if isinstance(value, float) and math.isfinite(value)]
    fewest = 1 if column.is_measured else MOST_VALUES
    if len(numbers) < len(known) or len(set(known)) <= fewest:
        return _one_by_one(values)
    low, high = min(numbers), max(numbers)
    is_log = not column.is_measured and low > 0 and high / low >= _LOG_FROM
    return _logarithmic(values, low, high) if is_log else _linear(values, low, high)


def _one_by_one(values: Sequence[Value]) -> _Scale:
    """Give each distinct value its own position; sort numbers."""
    distinct = list(dict.fromkeys(value for value in values if value is not None))
    if all(isinstance(value, float) for value in distinct):
        distinct.sort(key=lambda value: (math.isnan(float(value)), float(value)))
    places = {
        value: index / (len(distinct) - 1) if len(distinct) > 1 else 0.5
        for index, value in enumerate(distinct)
    }
    step = math.ceil(len(distinct) / 18)  # labels that fit
    marked = list(places.items())[::step]
    return _Scale(
        [None if value is None else places[value] for value in values],
        [(share, number(value) if isinstance(value, float) else value) for value, share in marked],
    )


def _linear(values: Sequence[Value], low: float, high: float) -> _Scale:
    axis = Axis("", *padded(low, high))
    found = [one for one in axis.ticks(6) if axis.low <= one <= axis.high]
    return _Scale(
        [axis.share(value) if isinstance(value, float) else None for value in values],
        list(zip(map(axis.share, found), tick_words(found), strict=True)),
    )


def _logarithmic(values: Sequence[Value], low: float, high: float) -> _Scale:
    axis = Axis("", math.log10(low), math.log10(high))
    return _Scale(
        [axis.share(math.log10(value)) if isinstance(value, float) else None for value in values],
        [(axis.share(math.log10(one)), number(one)) for one in _powers(low, high)],
    )


def _powers(low: float, high: float) -> list[float]:
    exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [low, *(10.0**one for one in exponents if low < 10.0**one < high), high]
