"""`explain`: show which part of each stage's fingerprint changed since the last run that finished it."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from engine import fingerprint as fingerprints
from engine import layout, planning, run_files, run_names, runs
from engine.errors import UserError
from engine.fingerprint import Parts
from engine.foreach import value_of
from engine.options import CommandOptions
from engine.plan import Planned
from engine.request import Request

UNCHANGED = "unchanged"


class Options(CommandOptions):
    """The options of `explain`."""

    stage: str | None = Field(None, description="one stage only")
    run: str | None = Field(
        None,
        description="the run to compare with: its name, its id or the beginning of it; null: for each "
        "stage, the newest one that finished it",
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Print one reason per line, stage by stage."""
    made = planning.plan(request)
    jobs, last = made.plan.jobs, _fingerprints(request)
    _refuse_left_out(request.options.stage, made.plan.left_out)
    for name in runs.stages_named(request.options.stage, jobs):
        record = made.store.record(last[name]) if name in last else None
        lines = _reasons(jobs[name], record.parts if record else None, jobs)
        does = "cached" if jobs[name].record else "runs"
        print("\n  ".join([f"{name}: {does}", *(line for line in lines if line != UNCHANGED)]))
    return 0, None


def _refuse_left_out(name: str | None, left_out: Mapping[str, str]) -> None:
    """Raise UserError for a stage that this plan leaves out."""
    if why := left_out.get(name or ""):
        fix = "choose another stage, or change what leaves it out"
        raise UserError(f"stage={name}", f"this plan leaves it out: {why}", fix)


def _fingerprints(request: Request[Options]) -> dict[str, str]:
    """Return the fingerprints to compare with, of the run that the user named, or the last ones."""
    if request.options.run:
        run_dir = runs.of_request(request, request.options.run)
        print(f"compared with run {run_names.label(run_dir)}", file=sys.stderr)
        return _last_fingerprints([run_dir])
    folder = request.outputs / request.usecase.name / request.target.name
    return _last_fingerprints(
        path for path in layout.runs(request.outputs) if path.parent == folder
    )


def _last_fingerprints(run_dirs: Iterable[Path]) -> dict[str, str]:
    """Return the newest fingerprint that each stage finished with, in these runs."""
    found: dict[str, str] = {}
    for run_dir in layout.newest_first(run_dirs):
        for name, stage in run_files.summary(run_dir).stages.items():
            if stage.state in ("finished", "rejected") and stage.fingerprint:
                found.setdefault(name, stage.fingerprint)
    return found


def _reasons(planned: Planned, before: Parts | None, jobs: Mapping[str, Planned]) -> list[str]:
    if before is None:
        return [
            UNCHANGED if planned.record else "it has never finished for this use case and target"
        ]
    after = planned.parts or planned.job.parts(_hoped_inputs(planned, before, jobs))
    changes = fingerprints.differences(before, after)
    remade = [
        f"input {name}: {stage} runs again"
        for name, ref in planned.job.inputs.items()
        for stage in (ref.stages if ref and planned.parts is None else ())
        if jobs[stage].record is None
    ]
    if changes or remade:
        return [*changes, *remade]
    return [UNCHANGED if planned.record else planned.reason]


def _hoped_inputs(planned: Planned, before: Parts, jobs: Mapping[str, Planned]) -> dict[str, Any]:
    """Return the digests of the inputs. Assume that inputs which do not exist yet are unchanged, so
    that only known differences are listed.
    """
    known: dict[str, Any] = dict(before.get("input", {}))
    for name, ref in planned.job.inputs.items():
        records = {stage: jobs[stage].record for stage in (ref.stages if ref else ())}
        made = {
            value_of(stage): one.outputs[ref.name] for stage, one in records.items() if ref and one
        }
        if ref and made and len(made) == len(records):
            known[name] = fingerprints.of_entries(made) if ref.each else next(iter(made.values()))
    return known
