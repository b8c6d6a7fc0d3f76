"""Two axes: round ticks, grid lines, titles with units, and the position of a value.

Pure. Values are finite; their span may be as large as floats allow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.svg.marks import text, turned, width_of

_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e4, "k"))


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: its title, and its low and high ends."""

    title: str
    low: float
    high: float
    is_whole: bool = False  # it has only integers, such as epochs

    def share(self, value: float) -> float:
        """Return the value's relative position: 0 at the low end, 1 at the high end."""
        span = self.high / 2 - self.low / 2  # halves, because the full span may overflow a float
        return (value / 2 - self.low / 2) / span if span else 0.5

    def ticks(self, most: int) -> list[float]:
        """Return round values between the ends."""
        found = ticks(self.low, self.high, most)
        whole = [tick for tick in found if tick == round(tick)]
        return (whole or [self.low]) if self.is_whole else found


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle that two axes span, in the pixels of its chart."""

    x_axis: Axis
    y_axis: Axis
    width: float = 480
    height: float = 280
    columns: int = 7  # about so many ticks on the x axis

    @property
    def left(self) -> float:
        """Return the left edge of the drawing, to the right of the y axis' labels."""
        words = tick_words(self.y_axis.ticks(6))
        return 35 + max(map(width_of, words), default=0)

    @property
    def right(self) -> float:
        """Return the right edge of the drawing; half of the last tick's label is beyond it."""
        return self.width - 18

    top = 12

    @property
    def bottom(self) -> float:
        """Return the bottom edge of the drawing, above the x axis' labels."""
        return self.height - 40

    def x(self, value: float) -> float:
        """Return the pixel of a value on the x axis."""
        return self.left + (self.right - self.left) * self.x_axis.share(value)

    def y(self, value: float) -> float:
        """Return the pixel of a value on the y axis."""
        return self.bottom - (self.bottom - self.top) * self.y_axis.share(value)

    def parts(self) -> list[str]:
        """Return grid lines, ticks and titles."""
        across = (self.left + self.right) / 2
        up = (self.top + self.bottom) / 2
        return [
            *self._rows(),
            *self._columns(),
            text(across, self.height - 6, self.x_axis.title, "title middle"),
            turned(12, up, self.y_axis.title, "title middle", -90),
        ]

    def _rows(self) -> list[str]:
        parts = []
        found = self.y_axis.ticks(6)
        for tick, words in zip(found, tick_words(found), strict=True):
            y, ends = self.y(tick), f'x1="{self.left:.1f}" x2="{self.right:.1f}"'
            parts.append(f'<line class="rule" {ends} y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(text(self.left - 7, y + 3.8, words, "tick end"))
        return parts

    def _columns(self) -> list[str]:
        parts = []
        found = self.x_axis.ticks(self.columns)
        for tick, words in zip(found, tick_words(found), strict=True):
            x, below = self.x(tick), self.bottom + 4
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{self.bottom:.1f}" '
                f'y2="{below:.1f}"/>'
            )
            parts.append(text(x, self.bottom + 16, words, "tick middle"))
        ends = f'x1="{self.left:.1f}" x2="{self.right:.1f}"'
        ground = f'y1="{self.bottom:.1f}" y2="{self.bottom:.1f}"'
        return [*parts, f'<line class="axis" {ends} {ground}/>']


def titled(name: str, unit: str | None) -> str:
    """Return the title of an axis or a column: "latency (ms)"."""
    return f"{name} ({unit})" if unit else name


def padded(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis, with some space beyond the values."""
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return (low - room, high + room) if math.isfinite(low - room + high + room) else (low, high)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most about `most` round numbers from low to high."""
    raw = high / most - low / most
    if raw <= 0 or not math.isfinite(raw):
        return [low]
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next((m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999), 0.0)
    if not step or not math.isfinite(step):
        return [low, high]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_words(values: Sequence[float]) -> list[str]:
    """Return the ticks' labels, all with the same number of decimals: 0.0, 0.5, 1.0."""
    largest = max(map(abs, values), default=0.0)
    if largest and not 1e-3 <= largest < 1e12:
        return [f"{value:.3g}" for value in values]
    factor, suffix = next((one for one in _SUFFIXES if largest >= one[0]), (1.0, ""))
    factor = 1e3 if suffix == "k" else factor
    scaled = [value / factor for value in values]
    step = scaled[1] - scaled[0] if len(scaled) > 1 else 0.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else _decimals(scaled)
    return [f"{round(value, decimals) + 0.0:.{decimals}f}{suffix}" for value in scaled]


def _decimals(values: Sequence[float]) -> int:
    """Return the number of decimals that a tick needs, at most three."""
    return next((n for n in range(3) if all(round(v, n) == v for v in values)), 3)
