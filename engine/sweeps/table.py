"""A sweep as text: what it says at its end, and what `sweeps` shows. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from engine import units
from engine.ending import Line, aligned
from engine.numerals import number
from engine.sweeps import pareto, ranking
from engine.sweeps.record import Job, JobState, Sweep
from engine.wording import (
    as_typed,
    command_line_of,
    duration,
    in_short,
    listed,
    plural,
    short_key,
    short_value,
    table,
)

REPORT = "report.html"  # in the sweep's folder: engine/report/sweep.py
MOST_ROWS = 40
BEST, ON_FRONT = "*", "+"  # mark the best job, and the others of the Pareto front
_MOST_FAILURES = 5


def lines(sweep: Sweep) -> Iterator[str]:
    """Yield the table of the jobs, best first, and what the user can do next."""
    yield headline(sweep)
    if not sweep.jobs:
        return
    yield from table(rows(sweep), "  ").splitlines()
    if len(sweep.jobs) > MOST_ROWS:
        yield f"  and {plural(len(sweep.jobs) - MOST_ROWS, 'more job')}"
    yield from (aligned(line) for line in _closing(sweep))


def headline(sweep: Sweep) -> str:
    """Return which sweep it is, and how many of its jobs ended in which state."""
    counts = Counter(job.state for job in sweep.jobs)
    states = ", ".join(f"{counts[state]} {state}" for state in get_args(JobState) if counts[state])
    took = f" in {duration(sweep.end.ended - sweep.asked.started)}" if sweep.end else ""
    return (
        f"sweep {sweep.id}: {plural(len(sweep.jobs), 'job')}{took}: {states or 'none has started'}"
    )


def rows(sweep: Sweep) -> list[list[str]]:
    """Return the header, and a row for each job, the best first."""
    names = ranking.objectives(sweep.jobs)
    marks = _marks(sweep.jobs)
    titles = [title(sweep.jobs, name) for name in names]
    header = ["job", *map(short_key, sweep.asked.keys), *titles, "state", "gates", "took"]
    found = []
    for job in ranking.ranked(sweep.jobs)[:MOST_ROWS]:
        values = dict(change.split("=", 1) for change in job.facts.changes if "=" in change)
        varied = [short_value(values.get(key, "")) for key in sweep.asked.keys]
        results = [value(job, name, place(sweep.jobs, name)) for name in names]
        end = [job.state, gates(job), duration(job.facts.seconds)]
        found.append([f"{job.number}{marks.get(job.number, '')}", *varied, *results, *end])
    return [header, *found]


def _marks(jobs: Sequence[Job]) -> dict[int, str]:
    """Return the mark of each job that has one."""
    best = ranking.best(jobs)
    is_of_several = len(ranking.objectives(jobs)) > 1
    found = {job.number: f" {ON_FRONT}" for job in pareto.front(jobs) if is_of_several}
    return found | {best.number: f" {BEST}"} if best and len(jobs) > 1 else found


def title(jobs: Sequence[Job], objective: str) -> str:
    """Return an objective's name, and where all jobs measured it if not on the device."""
    where = place(jobs, objective)
    return f"{objective} ({where})" if where else objective


def place(jobs: Sequence[Job], objective: str) -> str:
    """Return where all jobs measured the objective; empty if on the device, or in several places."""
    measured = [job.facts for job in jobs if objective in job.facts.values]
    places = {facts.measured_on.get(objective, "") for facts in measured}
    return places.pop() if len(places) == 1 else ""


def value(job: Job, objective: str, said: str = "") -> str:
    """Return an objective's value with its interval, and where it was measured if not on the device.

    said: a place that the column's title already has.
    """
    found = job.facts.values.get(objective)
    if found is None:
        return ""
    metric = objective.rpartition(".")[2] if not objective.endswith(".mean") else objective
    exact = number(found) if not units.unit(metric).name else units.exact(metric, found)
    ends = job.facts.intervals.get(objective)
    span = f" ({number(ends[0])} to {number(ends[1])})" if ends else ""
    where = job.facts.measured_on.get(objective)
    words = f"{exact}{span}" + (f" ({where})" if where and where != said else "")
    return re.sub(r"\s", " ", words)  # a terminal may lack the narrow and no-break spaces


def gates(job: Job) -> str:
    """Return how many of the gates passed."""
    return f"{job.facts.gates_passed} of {job.facts.gates}" if job.facts.gates else ""


def command(sweep: Sweep) -> str:
    """Return the command that started the sweep, and continues it unless it has ended."""
    return command_line_of(sweep.asked.command)


def _front(jobs: Sequence[Job]) -> Iterator[Line]:
    """Yield the Pareto front, the job that the rule chooses from it, and the rule."""
    if members := pareto.front(jobs):
        numbers = listed(str(job.number) for job in members)
        yield Line("front", f"{'job' if len(members) == 1 else 'jobs'} {numbers} ({ON_FRONT})")
    best, why = pareto.best(jobs)
    if best is None:
        yield Line("best", f"none: {why}")
    else:
        yield from _best(best, f", by rule: {pareto.rule_of(best.facts)}")


def _best(job: Job, why: str = "") -> Iterator[Line]:
    yield Line("best", f"job {job.number} ({in_short(job.facts.changes)}){why}")
    yield Line("", command_line_of(job.facts.command))
    if job.facts.is_elsewhere:
        yield Line("", f"its artifacts are only on {job.facts.host}, in {job.facts.run}")


def _closing(sweep: Sweep) -> Iterator[Line]:
    if (report := sweep.path / REPORT).is_file():
        yield Line("report", as_typed(report))
    if len(ranking.objectives(sweep.jobs)) > 1:
        yield from _front(sweep.jobs)
    elif (best := ranking.best(sweep.jobs)) and len(sweep.jobs) > 1:
        yield from _best(best)
    failed = [job for job in sweep.jobs if job.state in ("failed", "refused")]
    for job in failed[:_MOST_FAILURES]:
        why = job.facts.message or (
            "its worker ended before it did" if job.facts.exit is None else "see its output above"
        )
        yield Line("failed", f"job {job.number}: {why}")
    if len(failed) > _MOST_FAILURES:
        others = listed(str(job.number) for job in failed[_MOST_FAILURES:])
        yield Line("", f"and {plural(len(failed) - _MOST_FAILURES, 'more job')}: {others}")
    if sweep.end is None and not sweep.is_running:
        yield Line("continue", command(sweep))
