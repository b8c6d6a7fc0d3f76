"""Draws the jobs of a sweep with several objectives: a chart for each pair of them. Pure.

The jobs of the Pareto front have their numbers; with two objectives, a line joins them. The job
that the rule chooses is a diamond, and jobs that a gate rejected are crosses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations

from engine import units
from engine.svg import marks
from engine.svg.axes import Axis, Frame, padded, titled
from engine.sweeps import pareto
from engine.sweeps.record import Job
from engine.wording import in_short, listed

MOST_OBJECTIVES = 4  # of which every pair is drawn; the table has all of them
# width, height and ticks across: of a single chart, and of one beside others
_SIZE, _SMALL = (480, 300, 7), (310, 290, 3)
STYLE = """
.fronts { display: flex; flex-wrap: wrap; gap: 14px 20px; } .fronts .chart { flex: 0 1 auto; }
.chart .on-front { fill: var(--series-0); } .chart .off-front { fill: var(--soft); opacity: .55; }
.chart .best { fill: var(--series-1); stroke: var(--paper); stroke-width: 1.5; }
.chart .rejected { stroke: var(--bad); stroke-width: 2; fill: none; }
.chart .front { fill: none; stroke: var(--series-0); stroke-width: 1.5; stroke-dasharray: 5 3; }
.chart .number { font-size: 11px; fill: var(--ink); }
.legend .key.chart { display: inline-block; }
""".strip()


@dataclass(frozen=True, slots=True)
class _Found:
    """What a chart shows."""

    jobs: Sequence[Job]  # that measured every objective
    front: frozenset[int]
    best: int | None

    def kind(self, job: Job) -> str:
        """Return how the job is drawn."""
        if job.number == self.best:
            return "best"
        if job.number in self.front:
            return "on-front"
        return "rejected" if job.state == "rejected" else "off-front"


def draw(jobs: Sequence[Job]) -> str:
    """Return the charts with their legend as HTML; nothing unless there are several objectives."""
    shown = [job for job in jobs if len(pareto.costs(job.facts)) > 1]
    shown = [job for job in shown if all(map(math.isfinite, pareto.costs(job.facts)))]
    if not shown:
        return ""
    best, _ = pareto.best(jobs)
    numbers = frozenset(job.number for job in pareto.front(jobs))
    found = _Found(shown, numbers, best.number if best else None)
    names = list(shown[0].facts.directions)
    pairs = combinations(names[:MOST_OBJECTIVES], 2)
    charts = "".join(_chart(found, across, up, is_only=len(names) == 2) for up, across in pairs)
    return f'{_legend(found)}<div class="fronts">{charts}</div>{_remark(shown)}'


def _chart(found: _Found, across: str, up: str, *, is_only: bool) -> str:
    size = _SIZE if is_only else _SMALL
    frame = Frame(_axis(found.jobs, across), _axis(found.jobs, up), *size)
    parts = frame.parts()
    if is_only:
        parts.append(_line(found, frame, across, up))
    order = {"off-front": 0, "rejected": 1, "on-front": 2, "best": 3}  # the last one is on top
    for job in sorted(found.jobs, key=lambda one: order[found.kind(one)]):
        values = job.facts.values
        parts.append(_mark(job, found.kind(job), frame.x(values[across]), frame.y(values[up])))
    label = f"{up} over {across}: {len(found.jobs)} jobs"
    return marks.chart(label, frame.width, frame.height, parts)


def _axis(jobs: Sequence[Job], objective: str) -> Axis:
    facts = jobs[0].facts
    metric = objective.rpartition(".")[2]
    better = "less" if facts.directions[objective] == "minimise" else "more"
    title = marks.clipped(titled(units.title(metric), units.unit(metric).name or None), 30)
    values = [job.facts.values[objective] for job in jobs]
    return Axis(f"{title}: {better} is better", *padded(min(values), max(values)))


def _remark(jobs: Sequence[Job]) -> str:
    """Return where objectives were measured, if not on the device."""
    found: dict[str, set[str]] = {}
    for job in jobs:
        for name, place in job.facts.measured_on.items():
            found.setdefault(name, set()).add(place)
    words = [f"{name}: {listed(sorted(places))}" for name, places in found.items()]
    text = f"Not measured on the device: {'; '.join(words)}."
    return f'<p class="remark">{escape(text)}</p>' if words else ""


def _line(found: _Found, frame: Frame, across: str, up: str) -> str:
    """Return the border of what the front dominates, as steps."""
    members = [job.facts for job in found.jobs if job.number in found.front]
    ordered = sorted(members, key=lambda facts: pareto.cost(facts, across) or 0.0)
    points = [(frame.x(one.values[across]), frame.y(one.values[up])) for one in ordered]
    steps = points[:1]
    for x, y in points[1:]:
        steps += [(x, steps[-1][1]), (x, y)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
    return f'<polyline class="front" points="{path}"/>'


def _mark(job: Job, kind: str, x: float, y: float) -> str:
    about = f"<title>{escape(f'job {job.number}: {in_short(job.facts.changes)}')}</title>"
    shape = f'<g class="{kind}">{about}{_shape(kind, x, y)}</g>'
    has_number = kind in ("best", "on-front")
    return shape + (marks.text(x + 8, y - 7, str(job.number), "number") if has_number else "")


def _shape(kind: str, x: float, y: float) -> str:
    if kind == "best":
        return f'<path d="M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z"/>'
    if kind == "rejected":
        return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if kind == "on-front" else 3.5}"/>'


def _legend(found: _Found) -> str:
    words = {
        "best": "chosen by the rule",
        "on-front": "on the Pareto front",
        "off-front": "another job is better",
        "rejected": "rejected by a gate",
    }
    there = [kind for kind in words if any(found.kind(job) == kind for job in found.jobs)]
    entries = "".join(
        f'<span><svg class="key chart" width="18" height="18" aria-hidden="true">'
        f'<g class="{kind}">{_shape(kind, 9, 9)}</g></svg> {words[kind]}</span>'
        for kind in there
    )
    return f'<div class="legend">{entries}</div>'
