"""`sweeps`: list the sweeps of the outputs folder, or show the jobs of one."""

import json
import sys
from typing import Literal

from pydantic import Field

from engine.errors import UserError, did_you_mean
from engine.options import CommandOptions
from engine.request import Request
from engine.sweeps import ranking, record, table
from engine.sweeps.record import Sweep
from engine.wording import as_typed, command_line_of, in_short, moment, plural, short_key
from engine.wording import table as text_table

LATEST = "latest"


class Options(CommandOptions):
    """The options of `sweeps`."""

    sweep: str | None = Field(
        None,
        description="show the jobs of this sweep: its id, its beginning, or latest; null: list all",
    )
    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the sweeps, the newest first, or one of them."""
    known = record.sweeps(request.outputs)
    for folder in record.damaged(request.outputs):
        fix = f"restore it from a backup, or remove {as_typed(folder)}; the sweep's runs stay"
        print(
            f"not listed: {record.SWEEP_FILE} of sweep {folder.name} is damaged: {fix}",
            file=sys.stderr,
        )
    options = request.options
    shown = known[::-1] if options.sweep is None else [_chosen(known, options.sweep, request)]
    if options.format == "json":
        print(json.dumps([_plain(one) for one in shown], indent=2))
    elif options.sweep is not None:
        print("\n".join(table.lines(shown[0])))
    elif not shown:
        print(f"no sweep has run in {as_typed(request.outputs)} yet")
    else:
        print(
            text_table([["sweep", "began", "jobs", "varies", "best", "state"], *map(_row, shown)])
        )
    return 0, None


def _chosen(known: list[Sweep], name: str, request: Request[Options]) -> Sweep:
    if name == LATEST and known:
        return known[-1]
    found = [one for one in known if one.id.startswith(name)]
    if len(found) != 1:
        what = "there is no such sweep" if not found else f"{len(found)} sweeps begin with it"
        none = (
            ""
            if known
            else f"there are no sweeps in {as_typed(request.outputs)}: choose outputs=DIR"
        )
        fix = did_you_mean(name, [one.id for one in known], none)
        raise UserError(f"sweep={name}", what, fix)
    return found[0]


def _row(sweep: Sweep) -> list[str]:
    best = ranking.best(sweep.jobs)
    name, _ = ranking.objective(best) if best else ("", None)
    result = f"{name} {table.value(best, name)}" if best and name else ""
    varied = in_short(best.facts.changes) if best else ""
    return [
        sweep.id,
        moment(sweep.asked.started),
        str(len(sweep.jobs)),
        ", ".join(map(short_key, sweep.asked.keys)),
        ": ".join(filter(None, [varied, result])),
        _state(sweep),
    ]


def _state(sweep: Sweep) -> str:
    done = f"{plural(sum(job.is_done for job in sweep.jobs), 'job')} done"
    if sweep.is_running:
        return f"running, {done}"
    if sweep.end is None:
        return f"interrupted, {done}; repeat its command to continue"
    failed = sum(not job.is_done for job in sweep.jobs)
    return f"ended, {failed} failed" if failed else "ended"


def _plain(sweep: Sweep) -> dict[str, object]:
    """Return the sweep as plain data: its record, and its jobs with the best first."""
    best = ranking.best(sweep.jobs)
    return {
        "id": sweep.id,
        **sweep.asked.model_dump(mode="json"),
        "command": command_line_of(sweep.asked.command),
        "ended": sweep.end.ended if sweep.end else None,
        "status": sweep.end.status if sweep.end else None,
        "running": sweep.is_running,
        "best": best.number if best else None,
        "jobs": [
            {"number": job.number, "state": job.state, **job.facts.model_dump(mode="json")}
            for job in ranking.ranked(sweep.jobs)
        ],
    }
