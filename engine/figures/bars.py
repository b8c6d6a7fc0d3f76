"""Bars: a quantity of each named item, such as the importance of a column, with the range of its values."""

from collections.abc import Iterator
from html import escape
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Finite, Label, Name
from engine.svg import marks
from engine.svg.axes import Axis, Frame, padded, titled

HEADING = "Bars"
STYLE = """
.chart .bar { fill: var(--series-0); fill-opacity: .55; }
.chart .range { stroke: var(--ink); stroke-width: 1.4; }
""".strip()
PITCH = 24.0  # pixels from one bar to the next
THICKNESS = 14.0  # of a bar
LONGEST_LABEL = 28
WIDTH = 360  # of the bars' frame


class Bar(TypedDict):
    """An item, its value, and the ends of the value's range."""

    name: Label
    value: Finite
    low: Finite
    high: Finite


class Fields(TypedDict):
    """The bars from the top; the quantity and its unit."""

    bars: Annotated[list[Bar], Field(min_length=1, max_length=200)]
    x: Name
    x_unit: Label | None


EXAMPLE: Fields = {
    "bars": [
        {"name": "alcohol", "value": 0.12, "low": 0.1, "high": 0.14},
        {"name": "pH", "value": 0.01, "low": -0.01, "high": 0.02},
    ],
    "x": "importance",
    "x_unit": None,
}


def check(figure: Fields) -> None:
    """Raise ValueError if a range ends before it begins."""
    for bar in figure["bars"]:
        if bar["low"] > bar["high"]:
            raise ValueError(f"the range of {bar['name']!r} must not end before it begins")


def draw(figure: Fields) -> str:
    """Return a bar from zero for each item, and a line for its range."""
    bars = figure["bars"]
    ends = [end for bar in bars for end in (bar["value"], bar["low"], bar["high"], 0.0)]
    frame = _Bars(
        Axis(titled(figure["x"], figure["x_unit"]), *padded(min(ends), max(ends))),
        Axis("", 0.0, float(len(bars))),
        *_size([marks.clipped(bar["name"], LONGEST_LABEL) for bar in bars]),
    )
    chart = marks.chart(
        figure["x"],
        frame.width,
        frame.height,
        [*frame.parts(), *(part for at, bar in enumerate(bars) for part in _drawn(frame, at, bar))],
        "own-size",
    )
    return f'<div class="scroll" tabindex="0">{chart}</div>'


class _Bars(Frame):
    """A frame with a label for each bar in place of the ticks of the y axis."""

    @property
    def left(self) -> float:
        return self.width - WIDTH

    def _rows(self) -> list[str]:
        x = self.x(0.0)
        return [
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{self.top}" y2="{self.bottom:.1f}"/>'
        ]


def _size(labels: list[str]) -> tuple[float, float]:
    """Return width and height of the chart."""
    longest = max(marks.width_of(label, 12) for label in labels)
    return WIDTH + longest + 16, PITCH * len(labels) + Frame.top + 40


def _drawn(frame: Frame, at: int, bar: Bar) -> Iterator[str]:
    """Yield the parts of the bar with this number from the top."""
    middle = frame.top + PITCH * (at + 0.5)
    start, end = sorted((frame.x(0.0), frame.x(bar["value"])))
    words = f"{bar['name']}: {bar['value']:.4g} ({bar['low']:.4g} to {bar['high']:.4g})"
    label = marks.clipped(bar["name"], LONGEST_LABEL)
    yield marks.text(frame.left - 8, middle + 4, label, "end")
    yield (
        f'<g><title>{escape(words)}</title><rect class="bar" x="{start:.1f}" '
        f'y="{middle - THICKNESS / 2:.1f}" width="{end - start:.1f}" height="{THICKNESS:g}"/>'
        f'<line class="range" x1="{frame.x(bar["low"]):.1f}" x2="{frame.x(bar["high"]):.1f}" '
        f'y1="{middle:.1f}" y2="{middle:.1f}"/></g>'
    )
