"""A histogram: the number of values in each bin, for one series or several over the same bins."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Finite, Label, Name
from engine.svg import marks
from engine.svg.axes import Axis, Frame, titled

HEADING = "Histograms"
STYLE = """
.chart .bin { fill: var(--colour); fill-opacity: .22; stroke: var(--colour); stroke-width: 1.6;
  stroke-linejoin: round; stroke-dasharray: var(--dash); }
""".strip()


class Series(TypedDict):
    """The number, or share, of values in each bin."""

    name: Label
    counts: Annotated[list[Annotated[Finite, Field(ge=0)]], Field(max_length=1_000)]


class Fields(TypedDict):
    """The edges of the bins, ascending; the series; the names of the axes."""

    edges: Annotated[list[Finite], Field(min_length=2, max_length=1_001)]
    series: Annotated[list[Series], Field(max_length=12)]
    x: Name
    y: Name
    x_unit: Label | None


EXAMPLE: Fields = {
    "edges": [0.0, 2.0, 4.0, 6.0],
    "series": [
        {"name": "int8", "counts": [1.0, 5.0, 2.0]},
        {"name": "float", "counts": [0.0, 3.0, 5.0]},
    ],
    "x": "latency",
    "y": "count",
    "x_unit": "ms",
}


def check(figure: Fields) -> None:
    """Raise ValueError unless the edges ascend, and each bin has a count."""
    if any(low >= high for low, high in pairwise(figure["edges"])):
        raise ValueError("each edge of a histogram must be larger than the one before")
    for series in figure["series"]:
        if len(series["counts"]) != len(figure["edges"]) - 1:
            raise ValueError(f"the series {series['name']!r} must have a count for each bin")


def draw(figure: Fields) -> str:
    """Return the outline of each series in a common frame, below the legend."""
    edges = figure["edges"]
    most = max((count for series in figure["series"] for count in series["counts"]), default=0.0)
    frame = Frame(
        Axis(titled(figure["x"], figure["x_unit"]), edges[0], edges[-1]),
        Axis(figure["y"], 0.0, most * 1.06 or 1.0),
    )
    drawn = enumerate(figure["series"])
    outlines = [_outline(i, frame, edges, series["counts"]) for i, series in drawn]
    label = f"{figure['y']} of {figure['x']}"
    chart = marks.chart(label, frame.width, frame.height, [*frame.parts(), *outlines])
    names = [series["name"] for series in figure["series"]]
    return f"<div>{marks.legend(names)}{chart}</div>"


def _outline(index: int, frame: Frame, edges: Sequence[float], counts: Sequence[float]) -> str:
    """Return the bins of a series: separate bars for a single series, otherwise overlapping steps."""
    ground = frame.y(0.0)
    path = f"M{frame.x(edges[0]):.1f} {ground:.1f}"
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        path += f"L{frame.x(low):.1f} {frame.y(count):.1f}H{frame.x(high):.1f}"
    return f'<path class="bin" style="{marks.series(index)}" d="{path}V{ground:.1f}Z"/>'
