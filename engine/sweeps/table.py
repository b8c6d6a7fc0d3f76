"""A sweep as text: what it says at its end, and what `sweeps` shows. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from engine import units
from engine.ending import Line, aligned
from engine.numerals import number
from engine.sweeps import ranking
from engine.sweeps.record import Job, JobState, Sweep
from engine.wording import (
    as_typed,
    command_line_of,
    duration,
    in_short,
    listed,
    plural,
    short_key,
    table,
)

REPORT = "report.html"  # in the sweep's folder: engine/report/sweep.py
MOST_ROWS = 40
BEST = "*"  # marks the best job
_MOST_FAILURES = 5


def lines(sweep: Sweep) -> Iterator[str]:
    """Yield the table of the jobs, best first, and what the user can do next."""
    yield headline(sweep)
    if not sweep.jobs:
        return
    yield from table(rows(sweep), "  ").splitlines()
    if len(sweep.jobs) > MOST_ROWS:
        yield f"  and {plural(len(sweep.jobs) - MOST_ROWS, 'job')} more"
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
    best = ranking.best(sweep.jobs)
    header = ["job", *map(short_key, sweep.asked.keys), *names, "state", "gates", "took"]
    found = []
    for job in ranking.ranked(sweep.jobs)[:MOST_ROWS]:
        mark = f" {BEST}" if best and job.number == best.number and len(sweep.jobs) > 1 else ""
        values = dict(change.split("=", 1) for change in job.facts.changes if "=" in change)
        varied = [values.get(key, "") for key in sweep.asked.keys]
        results = [value(job, name) for name in names]
        end = [job.state, gates(job), duration(job.facts.seconds)]
        found.append([f"{job.number}{mark}", *varied, *results, *end])
    return [header, *found]


def value(job: Job, objective: str) -> str:
    """Return an objective's value with its interval, and where it was measured if not on the device."""
    found = job.facts.values.get(objective)
    if found is None:
        return ""
    metric = objective.rpartition(".")[2] if not objective.endswith(".mean") else objective
    exact = number(found) if not units.unit(metric).name else units.exact(metric, found)
    ends = job.facts.intervals.get(objective)
    span = f" ({number(ends[0])} to {number(ends[1])})" if ends else ""
    where = job.facts.measured_on.get(objective)
    return f"{exact}{span}" + (f" ({where})" if where else "")


def gates(job: Job) -> str:
    """Return how many of the gates passed."""
    return f"{job.facts.gates_passed} of {job.facts.gates}" if job.facts.gates else ""


def command(sweep: Sweep) -> str:
    """Return the command that started the sweep, and continues it unless it has ended."""
    return command_line_of(sweep.asked.command)


def _closing(sweep: Sweep) -> Iterator[Line]:
    if (report := sweep.path / REPORT).is_file():
        yield Line("report", as_typed(report))
    best = ranking.best(sweep.jobs)
    if best and len(sweep.jobs) > 1:
        yield Line("best", f"job {best.number} ({in_short(best.facts.changes)})")
        yield Line("", command_line_of(best.facts.command))
    if best and best.facts.is_elsewhere:
        yield Line("", f"its artifacts are only on {best.facts.host}, in {best.facts.run}")
    failed = [job for job in sweep.jobs if job.state in ("failed", "refused")]
    for job in failed[:_MOST_FAILURES]:
        why = job.facts.message or (
            "its worker ended before it did" if job.facts.exit is None else "see its output above"
        )
        yield Line("failed", f"job {job.number}: {why}")
    if len(failed) > _MOST_FAILURES:
        others = listed(str(job.number) for job in failed[_MOST_FAILURES:])
        yield Line("", f"and {plural(len(failed) - _MOST_FAILURES, 'job')} more: {others}")
    if sweep.end is None and not sweep.is_running:
        yield Line("continue", command(sweep))
