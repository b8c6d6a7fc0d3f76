"""The timeline of a run as inline SVG: a bar for each stage.

Pure, and without a colour of its own: it takes the classes of engine/svg/style.py, and `bar-STATE`,
from the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.svg import marks
from engine.svg.axes import ticks
from engine.wording import duration

WIDTH = 960
CLOCK_STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a timeline: when it began, in seconds since the run's start, and how long it
    took.
    """

    name: str
    start: float
    seconds: float
    state: str

    @property
    def end(self) -> float:
        """Return when it ended."""
        return self.start + self.seconds


def timeline(bars: Sequence[Bar]) -> str:
    """Return a row for each bar, over a common axis of time."""
    left = 24 + 6.8 * max((len(bar.name) for bar in bars), default=0)
    left, right, row = min(left, 240.0), WIDTH - 70.0, 24
    last = max((bar.end for bar in bars), default=0.0) or 1.0
    bottom = len(bars) * row + 8
    parts = []
    for tick in _time_ticks(last):
        x = left + (right - left) * tick / last
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{bottom}"/>')
        parts.append(marks.text(x, bottom + 15, duration(tick) if tick else "0", "tick middle"))
    for i, bar in enumerate(bars):
        x, w = left + (right - left) * bar.start / last, (right - left) * bar.seconds / last
        parts.append(marks.text(left - 10, i * row + 20, bar.name[:34], "end"))
        bounds = f'x="{x:.1f}" y="{i * row + 8}" width="{max(w, 2):.1f}" height="16" rx="3"'
        parts.append(f'<rect class="bar bar-{bar.state}" {bounds}/>')
        parts.append(marks.text(x + max(w, 2) + 6, i * row + 20, duration(bar.seconds), "tick"))
    return marks.chart("When each stage ran", WIDTH, bottom + 24, parts)


def _time_ticks(last: float) -> list[float]:
    """Return moments that are round on a clock once minutes count: 15 s, 2 min, not 50 s."""
    steps = [step for step in CLOCK_STEPS_S if last / 8 <= step <= last]
    return (
        [n * steps[0] for n in range(int(last / steps[0]) + 1)]
        if steps and last > 30
        else ticks(0, last, 7)
    )
