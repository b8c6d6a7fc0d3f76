"""`runs`: list the runs of the outputs folder, filtered and sorted.

usecase= and target= restrict the list, if they are given.
"""

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from engine import run_rows, units
from engine.errors import UserError, did_you_mean
from engine.fields import duration_s
from engine.numerals import number
from engine.options import CommandOptions, Words
from engine.request import Request
from engine.run_rows import Row
from engine.wording import as_typed, duration, moment, plural, printable, table

_HEAD = (
    "name",
    "run",
    "use case",
    "target",
    "started (UTC)",
    "took",
    "status",
    "gates",
    "objective",
)


class Options(CommandOptions):
    """The options of `runs`."""

    where: str | None = Field(
        None,
        description="conditions on metrics, params.NAME, objective or seconds: "
        'where="score.accuracy>0.9 and params.epochs=5"',
    )
    status: Words = Field((), description="only runs with this status, or one of a list")
    since: str | None = Field(
        None, description="only runs that started since then: 7d, 12h, or a date such as 2026-11-30"
    )
    tag: Words = Field((), description="only runs with this tag: KEY or KEY=VALUE, or a list")
    sort: str = Field(
        "-started",
        description="ascending order by a metric, params.NAME, objective, started, seconds, name, "
        "usecase, target or status; with - before it, descending",
    )
    limit: int = Field(0, ge=0, description="at most this many runs, the first in order; 0: all")
    format: Literal["table", "json", "csv"] = Field("table", description="table, json or csv")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print one line for each run, the newest first."""
    options, every = request.options, run_rows.every(request.outputs)
    for run_dir, damage in run_rows.unreadable(request.outputs, every).items():
        fix = f"restore it from a backup, or remove {as_typed(run_dir)}"
        print(f"not listed: run {run_dir.name}: {damage}: {fix}", file=sys.stderr)
    rows = _chosen(request, every)
    rows = run_rows.ordered(rows, options.sort)[: options.limit or None]
    if options.format == "json":
        print(json.dumps([_plain(row) for row in rows], indent=2))
    elif options.format == "csv":
        _write_csv(rows)
    elif rows:
        print(_table(rows))
    if options.format == "table" and len(rows) < len(every):
        print(f"{len(rows)} of {plural(len(every), 'run')}")
    elif options.format == "table" and not every:
        print(f"there are no runs in {as_typed(request.outputs)}")
    return 0, None


def _chosen(request: Request[Options], every: Sequence[Row]) -> list[Row]:
    """Return the runs that the options select; raise UserError for an option that can select none."""
    options = request.options
    conditions = run_rows.conditions(options.where or "")
    run_rows.check_known("where", [one.key for one in conditions], every)
    run_rows.check_known("sort", [options.sort.removeprefix("-")], every)
    for status in options.status:
        if status not in run_rows.STATUSES:
            fix = did_you_mean(status, run_rows.STATUSES)
            raise UserError(f"status={status}", "there is no such status", fix)
    since, named = _since(options.since), {one.partition("=")[0] for one in request.choices_given}
    return [
        row
        for row in every
        if ("usecase" not in named or row.usecase == request.usecase.name)
        and ("target" not in named or row.target == request.target.name)
        and (not options.status or row.status in options.status)
        and row.started >= since
        and all(one.holds(row) for one in conditions)
        and run_rows.has_tags(row, options.tag)
    ]


def _since(text: str | None) -> float:
    """Return the moment from which runs are listed, in seconds since 1970."""
    if text is None:
        return float("-inf")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - duration_s(text)
    except ValueError:
        what, fix = "this is neither a duration nor a date", "write 7d, 12h or 2026-11-30"
        raise UserError(f"since={text}", what, fix) from None


def _table(rows: Sequence[Row]) -> str:
    """Return the table; it has a column for tags if a run has any."""
    found = [[*_HEAD, "tags"], *map(_cells, rows)]
    has_tags = any(row.annotations.tags for row in rows)
    return table([line if has_tags else line[:-1] for line in found])


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        row.run_dir.name,
        row.usecase,
        row.target,
        moment(row.started).removesuffix(" UTC"),
        duration(row.seconds),
        row.status,
        _gates(row),
        _objective(row),
        printable(", ".join(f"{key}={value}" for key, value in row.annotations.tags.items())),
    ]


def _gates(row: Row) -> str:
    """Return how many of the gates that were evaluated passed, or failed."""
    failed, judged = row.gates.count(False), len(row.gates) - row.gates.count(None)
    if failed:
        return f"{failed} of {judged} failed"
    return f"{judged} of {judged} passed" if judged else ""


def _objective(row: Row) -> str:
    if row.value is None:
        return ""
    ends = row.interval
    span = f" ({number(ends[0])} to {number(ends[1])})" if ends else ""
    value = units.exact(row.objective, row.value).replace("\N{NO-BREAK SPACE}", " ")
    return f"{row.objective} {value}{span}"


def _plain(row: Row) -> dict[str, Any]:
    """Return the run as plain data, with its parameters, metrics and annotations."""
    return {
        **_facts(row),
        "params": row.params,
        "metrics": row.metrics,
        **row.annotations.as_json(),
    }


def _facts(row: Row) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    return {
        "id": row.run_dir.name,
        "name": row.name,
        "usecase": row.usecase,
        "target": row.target,
        "started": row.started,
        "seconds": row.seconds,
        "status": row.status,
        "gates_passed": row.gates.count(True),
        "gates_failed": row.gates.count(False),
        "objective": row.objective,
        "value": row.value,
        "low": low,
        "high": high,
    }


def _write_csv(rows: Sequence[Row]) -> None:
    """Print the facts of each run, and a column for each parameter, metric and tag."""
    flat = [_flat(row) for row in rows]
    columns = dict.fromkeys(key for one in flat for key in one)
    writer = csv.DictWriter(sys.stdout, [*columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)


def _flat(row: Row) -> dict[str, Any]:
    return {
        **_facts(row),
        **_prefixed("params.", row.params),
        **row.metrics,
        **_prefixed("tags.", row.annotations.tags),
    }


def _prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in values.items()}
