"""The timeline of a run as HTML: a row for each stage, as wide as the page, even on a phone.

Pure. Positions are relative to the total time; the page defines the colours of `bar-STATE`, and STYLE
the layout.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from engine.svg.axes import ticks
from engine.wording import duration

MOST_TICKS = 5
CLOCK_STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
STYLE = """
.timeline { display: grid; grid-template-columns: fit-content(38%) minmax(0, 1fr); gap: 0 12px;
  font-size: 13px; line-height: 24px; padding-right: 76px; }
.timeline .who { text-align: right; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.timeline .track { position: relative; height: 24px; }
.timeline i { position: absolute; top: 0; bottom: 0; border-left: 1px solid var(--line); }
.timeline .bar { top: 4px; bottom: 4px; min-width: 2px; border: 0; border-radius: 3px; }
.timeline .took, .timeline .tick { position: absolute; color: var(--soft); font-size: 12px;
  white-space: nowrap; }
.timeline .took { padding-left: 6px; } .timeline .tick { transform: translateX(-50%); }
@media (max-width: 640px) { .timeline { padding-right: 56px; gap: 0 8px; font-size: 12px; }
  .timeline .tick:nth-child(even) { display: none; } }
""".strip()


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a timeline: its start, in seconds since the run's start, and its duration."""

    name: str
    start: float
    seconds: float
    state: str

    @property
    def end(self) -> float:
        """Return its end."""
        return self.start + self.seconds


def timeline(bars: Sequence[Bar]) -> str:
    """Return a row for each bar, over a common time axis."""
    last = max((bar.end for bar in bars), default=0.0) or 1.0
    marks = _time_ticks(last)
    rules = "".join(f'<i style="left:{_share(tick, last)}"></i>' for tick in marks)
    rows = "".join(line for bar in bars for line in _row(bar, last, rules))
    words = "".join(
        f'<span class="tick" style="left:{_share(tick, last)}">{_clock(tick)}</span>'
        for tick in marks
    )
    label = 'role="img" aria-label="When each stage ran; the table of stages has the times"'
    return (
        f'<div class="timeline" {label}>{rows}<span></span><div class="track">{words}</div></div>'
    )


def _row(bar: Bar, last: float, rules: str) -> Iterator[str]:
    name = escape(bar.name)
    left, width = _share(bar.start, last), _share(bar.seconds, last)
    yield f'<span class="who" title="{name}">{name}</span><div class="track">{rules}'
    yield f'<i class="bar bar-{escape(bar.state)}" style="left:{left};width:{width}"></i>'
    took = f'<span class="took" style="left:{_share(bar.end, last)}">{duration(bar.seconds)}</span>'
    yield f"{took}</div>"


def _share(seconds: float, last: float) -> str:
    return f"{100 * seconds / last:.2f}%"


def _clock(seconds: float) -> str:
    """Return the label of a tick: "0", "15 s", "2 min"."""
    return duration(seconds).removesuffix(" 00 s").removesuffix(" 00 min") if seconds else "0"


def _time_ticks(last: float) -> list[float]:
    """Return round times; above a minute they are round on a clock: 15 s, 2 min, not 50 s."""
    steps = [step for step in CLOCK_STEPS_S if last / MOST_TICKS <= step <= last]
    return (
        [n * steps[0] for n in range(int(last / steps[0]) + 1)]
        if steps and last > 30
        else ticks(0, last, MOST_TICKS)
    )
