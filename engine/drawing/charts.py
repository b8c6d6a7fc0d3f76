"""Three charts as inline SVG: curves over steps, a timeline of bars, a confusion matrix.

Pure, and without a colour of their own: they take the variables `--ink`, `--soft`, `--line`,
`--accent`, `--series-0` to `--series-3` and the classes `bar-STATE` from the page they stand in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from engine.wording import duration, number

Series = Mapping[str, Sequence[tuple[int, float]]]
MOST_POINTS = 400  # of one curve; more would not be seen at this width
COLOURS = 4
TIMELINE_WIDTH = 960
CLOCK_STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a timeline, in seconds since the run's start."""

    name: str
    start: float
    end: float
    state: str


def lines(title: str, series: Series, width: int = 460, height: int = 230) -> str:
    """Return the curves of one quantity over its steps, with a legend."""
    points = [point for curve in series.values() for point in curve]
    steps, values = [p[0] for p in points], [p[1] for p in points if math.isfinite(p[1])]
    left, right, top, bottom = 52, width - 14, 34, height - 26
    low, high = _padded(min(values, default=0.0), max(values, default=1.0))
    first, last = min(steps, default=0), max(steps, default=1)

    def x(step: float) -> float:
        return left + (right - left) * (step - first) / ((last - first) or 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [_text(left, 16, title, "title")]
    parts += [_grid(left, right, y(tick), f"{tick:.4g}") for tick in ticks(low, high, 5)]
    whole = sorted({round(tick) for tick in ticks(first, last, 8)})
    parts += [
        _text(x(step), bottom + 16, str(step), "tick middle")
        for step in whole
        if first <= step <= last
    ]
    for i, (name, curve) in enumerate(series.items()):
        parts += [_curve(i, [(x(s), y(v)) for s, v in _thinned(curve) if math.isfinite(v)])]
        parts += [_legend(i, name, right - sum(len(n) * 6.4 + 26 for n in list(series)[i:]))]
    return _svg(f"{title} over steps", width, height, parts)


def timeline(bars: Sequence[Bar]) -> str:
    """Return a row for each bar, over a common axis of time."""
    left = 24 + 6.8 * max((len(bar.name) for bar in bars), default=0)
    left, right, row = min(left, 240.0), TIMELINE_WIDTH - 70.0, 24
    last = max((bar.end for bar in bars), default=0.0) or 1.0
    bottom = len(bars) * row + 8
    parts = []
    for tick in _time_ticks(last):
        x = left + (right - left) * tick / last
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 15, duration(tick) if tick else "0", "tick middle"))
    for i, bar in enumerate(bars):
        x, w = (
            left + (right - left) * bar.start / last,
            (right - left) * (bar.end - bar.start) / last,
        )
        parts.append(_text(left - 10, i * row + 20, bar.name[:34], "end"))
        place = f'x="{x:.1f}" y="{i * row + 8}" width="{max(w, 2):.1f}" height="16" rx="3"'
        parts.append(f'<rect class="bar bar-{bar.state}" {place}/>')
        parts.append(_text(x + max(w, 2) + 6, i * row + 20, duration(bar.end - bar.start), "tick"))
    return _svg("When each stage ran", TIMELINE_WIDTH, bottom + 24, parts)


def heat_map(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix: each row's share as the shade, the count as the number."""
    cell = max(20.0, min(46.0, 560 / max(len(labels), 1)))
    left, top = (
        34 + 6.6 * max((len(label) for label in labels), default=0),
        30 + 5.2 * _longest(labels),
    )
    size = cell * len(labels)
    parts = [_text(left + size / 2, 14, "predicted", "tick middle")]
    parts += [_upright(14, top + size / 2, "true")]
    for i, label in enumerate(labels):
        middle = cell * (i + 0.5)
        parts.append(_text(left - 8, top + middle + 4, label, "end"))
        parts.append(_slanted(left + middle + 3, top - 8, label))
    for i, row in enumerate(matrix):
        total = sum(row) or 1
        for j, count in enumerate(row):
            parts.append(_cell(left + j * cell, top + i * cell, cell, count, count / total))
    return _svg(
        "Confusion matrix", left + size + 30 + 2.6 * _longest(labels), top + size + 8, parts
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most about `most` round numbers from low to high."""
    raw = (high - low) / most
    if raw <= 0 or not math.isfinite(raw):
        return [low]
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _time_ticks(last: float) -> list[float]:
    """Return moments that are round on a clock once minutes count: 15 s, 2 min, not 50 s."""
    steps = [step for step in CLOCK_STEPS_S if last / 8 <= step <= last]
    return (
        [n * steps[0] for n in range(int(last / steps[0]) + 1)]
        if steps and last > 30
        else ticks(0, last, 7)
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _thinned(curve: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    stride = math.ceil(len(curve) / MOST_POINTS)
    return curve if stride < 2 else [*curve[::stride], curve[-1]]


def _svg(label: str, width: float, height: float, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" {size}>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _upright(x: float, y: float, words: str) -> str:
    return (
        f'<text class="tick middle" transform="translate({x:.1f} {y:.1f}) '
        f'rotate(-90)">{escape(words)}</text>'
    )


def _slanted(x: float, y: float, words: str) -> str:
    return f'<text transform="translate({x:.1f} {y:.1f}) rotate(-40)">{escape(words)}</text>'


def _grid(left: float, right: float, y: float, words: str) -> str:
    rule = f'<line class="rule" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return rule + _text(left - 8, y + 3.5, words, "tick end")


def _curve(index: int, points: Sequence[tuple[float, float]]) -> str:
    colour = f"--colour:var(--series-{index % COLOURS})"
    if len(points) == 1:
        return (
            f'<circle class="dot" style="{colour}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" '
            'r="3.5"/>'
        )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="curve" style="{colour}" points="{path}"/>'


def _legend(index: int, name: str, x: float) -> str:
    colour = f"--colour:var(--series-{index % COLOURS})"
    mark = f'<rect class="dot" style="{colour}" x="{x:.1f}" y="11" width="12" height="3" rx="1"/>'
    return mark + _text(x + 17, 16, name, "tick")


def _cell(x: float, y: float, size: float, count: int, share: float) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{size - 1.5:.1f}" height="{size - 1.5:.1f}" rx="3"'
    kind = "cell-number light" if share > 0.55 else "cell-number" if count else "cell-number faint"
    words = _text(x + size / 2 - 0.75, y + size / 2 + 3.5, number(count), kind)
    return f'<rect class="cell" {place} style="fill-opacity:{0.05 + 0.95 * share:.3f}"/>{words}'


def _longest(labels: Sequence[str]) -> int:
    return max((len(label) for label in labels), default=0)
