"""Curves over a common axis: several series of points, such as the precision of two models over
recall.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Finite, Label, Name
from engine.svg import marks
from engine.svg.axes import Axis, Frame, padded, titled

HEADING = "Curves"
STYLE = ""
MOST_DRAWN = 400  # points of one curve; more would not be visible at this width


class Series(TypedDict):
    """One curve; null is a gap."""

    name: Label
    x: Annotated[list[Finite], Field(max_length=20_000)]
    y: Annotated[list[Finite | None], Field(max_length=20_000)]


class Fields(TypedDict):
    """The curves, and the names and units of their axes."""

    series: Annotated[list[Series], Field(max_length=30)]
    x: Name
    y: Name
    x_unit: Label | None
    y_unit: Label | None


EXAMPLE: Fields = {
    "series": [
        {"name": "float", "x": [0.0, 0.5, 1.0], "y": [1.0, 0.9, 0.6]},
        {"name": "int8", "x": [0.0, 0.5, 1.0], "y": [1.0, None, 0.55]},
    ],
    "x": "recall",
    "y": "precision",
    "x_unit": None,
    "y_unit": "%",
}


def check(figure: Fields) -> None:
    """Raise ValueError unless each x has a y."""
    for series in figure["series"]:
        if len(series["x"]) != len(series["y"]):
            raise ValueError(f"the series {series['name']!r} must have as many values of x as of y")


def draw(figure: Fields) -> str:
    """Return the curves in a frame, below their legend."""
    return _drawn(figure, _frame([figure]))


def draw_alike(figures: Sequence[Fields]) -> list[str]:
    """Return the same curves of several runs; if their axes have the same units, with the same ends."""
    units = {(one["x_unit"], one["y_unit"]) for one in figures}
    shared = _frame(figures) if len(units) == 1 else None
    return [_drawn(one, shared or _frame([one])) for one in figures]


def _drawn(figure: Fields, frame: Frame) -> str:
    parts = frame.parts()
    for index, series in enumerate(figure["series"]):
        points = list(zip(series["x"], series["y"], strict=True))
        parts += _curve(index, frame, _thinned(points))
    names = [series["name"] for series in figure["series"]]
    label = f"{figure['y']} over {figure['x']}"
    chart = marks.chart(label, frame.width, frame.height, parts)
    is_plain = names == [figure["y"]]  # the axis already shows the name
    return f"<div>{'' if is_plain else marks.legend(names)}{chart}</div>"


def _frame(figures: Sequence[Fields]) -> Frame:
    """Return a frame with room for all curves of the figures, and the titles of the first one."""
    every, figure = [series for one in figures for series in one["series"]], figures[0]
    across = [x for series in every for x in series["x"]]
    up = [y for series in every for y in series["y"] if y is not None]
    low, high = padded(min(up, default=0.0), max(up, default=1.0))
    first, last = min(across, default=0.0), max(across, default=1.0)
    is_whole = all(x == math.floor(x) for x in across)
    return Frame(
        Axis(titled(figure["x"], figure["x_unit"]), first, last, is_whole),
        Axis(titled(figure["y"], figure["y_unit"]), low, high),
    )


def _thinned(points: Sequence[tuple[float, float | None]]) -> Sequence[tuple[float, float | None]]:
    stride = math.ceil(len(points) / MOST_DRAWN)
    return points if stride < 2 else [*points[::stride], points[-1]]


def _curve(index: int, frame: Frame, points: Sequence[tuple[float, float | None]]) -> list[str]:
    """Return a line for each section without a gap, and a dot for an isolated point."""
    parts, style = [], marks.series(index)
    for is_gap, stretch in groupby(points, lambda point: point[1] is None):
        if is_gap:
            continue
        points = [(frame.x(x), frame.y(y)) for x, y in stretch if y is not None]
        if len(points) == 1:
            [(x, y)] = points
            parts.append(f'<circle class="dot" style="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline class="curve" style="{style}" points="{path}"/>')
    return parts
