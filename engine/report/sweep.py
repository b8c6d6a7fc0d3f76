"""The report of a sweep: one HTML page beside its record, written when the sweep ends.

It is self-contained like the report of a run, and links to the reports of its jobs.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine import figure_page
from engine.drawing import front, heat_map, parallel
from engine.durable import write_whole
from engine.sweeps import pareto, ranking, table
from engine.sweeps.record import Job, Sweep
from engine.wording import (
    command_line_of,
    duration,
    in_short,
    moment,
    plural,
    short_key,
    short_value,
)

_RUN_REPORT = "report.html"  # of a job: engine/sinks/report.py
_NO_BEST = "no job passed its gates"
MOST_ROWS = 500
MOST_LINES = 300  # of readable parallel coordinates


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A job in the table."""

    job: Job
    is_best: bool
    varied: Sequence[str]
    results: Sequence[str]
    gates: str
    took: str
    report: str  # the address of its run's report; empty if it has none


def write(sweep: Sweep) -> Path:
    """Write the page into the sweep's folder, and return its path."""
    path = sweep.path / table.REPORT
    write_whole(path, render(sweep).encode(), durable=False)
    return path


def render(sweep: Sweep) -> str:
    """Return the whole page."""
    best = ranking.best(sweep.jobs)
    names = ranking.objectives(sweep.jobs)
    is_of_several = len(names) > 1
    page: str = _template().render(
        sweep=sweep,
        title=_title(sweep),
        command=table.command(sweep),
        headline=table.headline(sweep).partition(": ")[2],
        began=moment(sweep.asked.started),
        best=best,
        best_changes=in_short(best.facts.changes) if best else "",
        best_command=command_line_of(best.facts.command) if best else "",
        rule=pareto.rule_of(best.facts) if best and is_of_several else "",
        why_none=_sentence(pareto.best(sweep.jobs)[1] if is_of_several else _NO_BEST),
        on_front={job.number for job in pareto.front(sweep.jobs)} if is_of_several else (),
        best_values=[(name, table.value(best, name)) for name in names] if best else [],
        keys=[short_key(key) for key in sweep.asked.keys],
        names=[table.title(sweep.jobs, name) for name in names],
        rows=[_row(sweep, job, best) for job in ranking.ranked(sweep.jobs)[:MOST_ROWS]],
        not_shown=plural(len(sweep.jobs) - MOST_ROWS, "job") if len(sweep.jobs) > MOST_ROWS else "",
        failed=[job for job in sweep.jobs if job.facts.message],
        figures=list(_figures(sweep, names, best)),
        style=f"{figure_page.style(['confusion_matrix'])}\n{parallel.STYLE}\n{front.STYLE}",
        policy=figure_page.POLICY,
    )
    return page


@cache
def _template() -> Any:
    from engine.drawing import page  # heavy, and only needed at the end of a sweep

    return page.template(Path(__file__).with_suffix(".html.j2"), {})


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _title(sweep: Sweep) -> str:
    """Return which use cases and targets the sweep ran: `pose_activity on rpi4`."""
    runs = (Path(job.facts.run).parts[-3:-1] for job in sweep.jobs if job.facts.run)
    return ", ".join(f"{usecase} on {target}" for usecase, target in dict.fromkeys(runs))


def _row(sweep: Sweep, job: Job, best: Job | None) -> Row:
    values = _values(job)
    return Row(
        job=job,
        is_best=bool(best and job.number == best.number),
        varied=[short_value(values.get(key, "")) for key in sweep.asked.keys],
        results=[
            table.value(job, name, table.place(sweep.jobs, name))
            for name in ranking.objectives(sweep.jobs)
        ],
        gates=table.gates(job),
        took=duration(job.facts.seconds),
        report=_report_of(sweep, job),
    )


def _values(job: Job) -> dict[str, str]:
    """Return the values of the keys that the sweep varies."""
    pairs = (change.partition("=") for change in job.facts.changes)
    return {key: value for key, _, value in pairs}


def _report_of(sweep: Sweep, job: Job) -> str:
    run_dir = sweep.run_dir(job)
    if run_dir is None or not (run_dir / _RUN_REPORT).is_file():
        return ""
    return quote(Path(os.path.relpath(run_dir / _RUN_REPORT, sweep.path)).as_posix())


def _figures(sweep: Sweep, names: Sequence[str], best: Job | None) -> Iterator[tuple[str, str]]:
    """Yield the drawings with their titles."""
    done = [job for job in ranking.ranked(sweep.jobs) if job.is_done][:MOST_LINES]
    if drawn := front.draw(sweep.jobs):
        yield "Pareto front", drawn
    if len(done) > 1 and len(sweep.asked.keys) + len(names) > 1:
        yield "Parameters and objectives", _parallel(sweep.asked.keys, names, done, best)
    if len(sweep.asked.keys) == 2 and names and len(done) > 1:
        drawn = _heat_map(sweep, names[0])
        if drawn:
            yield names[0], drawn


def _parallel(
    keys: Sequence[str], names: Sequence[str], jobs: Sequence[Job], best: Job | None
) -> str:
    known = [_values(job) for job in jobs]
    columns = [
        *(
            parallel.Column(short_key(key), [_number(one.get(key)) for one in known])
            for key in keys
        ),
        *(
            parallel.Column(name, [job.facts.values.get(name) for job in jobs], is_measured=True)
            for name in names
        ),
    ]
    lines = [parallel.Line(_label(job, names), _kind(job, best)) for job in jobs]
    return parallel.draw(columns, lines)


def _label(job: Job, names: Sequence[str]) -> str:
    results = ", ".join(f"{name} {table.value(job, name)}" for name in names)
    return f"job {job.number} ({in_short(job.facts.changes)}): {results}, {job.state}"


def _kind(job: Job, best: Job | None) -> parallel.Kind:
    if best and job.number == best.number:
        return "best"
    return "finished" if job.state == "finished" else "rejected"


def _heat_map(sweep: Sweep, name: str) -> str:
    """Draw the objective over both parameters; empty if there are too many values."""
    found = {
        tuple(_values(job).get(key, "") for key in sweep.asked.keys): job for job in sweep.jobs
    }
    across, down = (_in_order({pair[at] for pair in found}) for at in (0, 1))
    if not across or not down or len(across) * len(down) > heat_map.MOST_CELLS:
        return ""
    cells = {
        (pair[0], pair[1]): (job.facts.values.get(name), table.value(job, name) or job.state)
        for pair, job in found.items()
    }
    titles = (short_key(sweep.asked.keys[0]), short_key(sweep.asked.keys[1]))
    return heat_map.draw(titles, across, down, cells)


def _in_order(values: set[str]) -> list[str]:
    """Return numbers by size, and words after them."""
    return sorted(values, key=_place)


def _place(value: str) -> tuple[bool, float, str]:
    found = _number(value)
    return (False, found, value) if isinstance(found, float) else (True, 0.0, value)


def _number(value: str | None) -> float | str | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return value
