"""`plan`: show what would run, where, and why, and which stages are cached. Starts nothing."""

import json
from typing import Literal

from pydantic import Field

from engine import planning
from engine.options import CommandOptions
from engine.planning import Planning
from engine.request import Request
from engine.tools import making
from engine.wording import grouped, plural, table


class Options(CommandOptions):
    """The options of `plan`."""

    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the plan as a table, or as JSON with format=json."""
    planned = planning.plan(request)
    rows = [
        {
            "stage": name,
            "does": "cached" if p.record else "run",
            "runs_on": p.job.spec.runs_on,
            "platform": p.job.placement.platform,
            "measured_on": p.job.placement.measured_on,
            "fingerprint": p.fingerprint,
            "why": p.reason,
        }
        for name, p in planned.plan.jobs.items()
    ]
    if request.options.format == "json":
        print(json.dumps(rows, indent=2))
        return 0, None
    print(
        f"{planned.plan.usecase} for {request.target.name} ({request.target.platform}, "
        f"{request.target.runtime})"
    )
    shown = [
        [
            name,
            "cached" if p.record else "run",
            p.job.placement.measured_on,
            (p.fingerprint or "-")[:12],
            p.reason,
        ]
        for name, p in planned.plan.jobs.items()
    ]
    print(table([["stage", "does", "on", "fingerprint", "why"], *shown], "  "))
    cached = sum(row["does"] == "cached" for row in rows)
    print(f"{plural(len(rows), 'stage')}: {cached} cached, {len(rows) - cached} to run")
    for text in grouped(planned.plan.left_out):
        print(f"left out: {text}")
    for text in (*planned.plan.notes, *_environments(planned), *planned.warnings):
        print(f"note: {text}")
    return 0, None


def _environments(planned: Planning) -> list[str]:
    """Return a note for each environment that has to be made first."""
    named = dict.fromkeys(one.job.placement.tools for one in planned.plan.to_run)
    return [
        f"the environment {tools.name} will be made first: {making.contents(tools)} on the disk"
        for tools in named
        if tools and not tools.is_made(planned.store.root)
    ]
