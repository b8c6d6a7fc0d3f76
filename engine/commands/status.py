"""`status`: show the state of a run from its journal, also while it runs and after a crash."""

import json
import time
from pathlib import Path
from typing import Literal

from pydantic import Field

from engine import layout, run_annotations, run_files, run_names, runs
from engine.digest import of
from engine.errors import UserError
from engine.events import RunState, StageState
from engine.options import CommandOptions
from engine.request import Request
from engine.store import Store
from engine.wording import as_typed, duration, table


class Options(CommandOptions):
    """The options of `status`."""

    run: str | None = Field(
        None,
        description="a run's name, its id or the beginning of it, or latest: the newest complete one; "
        "null: the newest",
    )
    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print the state of run=ID, or of the newest run that the command line does not exclude."""
    run_dir = runs.chosen(request, request.options.run)
    state = run_files.state(run_dir)
    if request.options.format == "json":
        added = run_annotations.read(run_dir).as_json()
        print(json.dumps({**run_files.run_json(state), "annotations": added}, indent=2))
        return 0, None
    store = Store(layout.store_dir(request.outputs))
    print(
        f"run {run_names.label(run_dir)}: {state.start.get('usecase')} for {state.start.get('target')}, "
        f"{_said(state, store, run_dir.name)}"
    )
    for line in run_annotations.lines(run_annotations.read(run_dir)):
        print(f"  {line}")
    rows = [
        [
            s.name,
            s.state + (" (cached)" if s.cached else ""),
            duration(s.seconds),
            _remark(s, run_dir),
        ]
        for s in state.stages.values()
    ]
    if rows:
        print(table([["stage", "state", "took", ""], *rows], "  "))
    print(f"  {as_typed(run_dir)}")
    return 0, None


def _said(state: RunState, store: Store, run_id: str) -> str:
    if state.damage:
        return f"partly unreadable: {state.damage}"
    if state.status != "running":
        return (
            f"{state.status} after {duration(state.seconds)}"
            if state.seconds is not None
            else state.status
        )
    if store.locks.is_at_work(run_id):
        return f"running for {duration(time.time() - state.start.get('time', time.time()))}"
    return "its engine was killed; repeat its command to resume from the finished stages"


def _remark(stage: StageState, run_dir: Path) -> str:
    if stage.failure:
        return str(stage.failure["message"])
    if stage.state == "running" and stage.progress:
        done, total, message = stage.progress
        return f"{done:g} of {total:g} {message}".strip()
    changed = [
        name
        for name, digest in stage.outputs.items()
        if _differs(layout.artifact(run_dir, stage.name, name), digest)
    ]
    if changed:
        return f"modified since: {', '.join(changed)}"
    return stage.because or ""


def _differs(path: Path, digest: str) -> bool:
    try:
        return of(path) != digest
    except UserError:
        return True
