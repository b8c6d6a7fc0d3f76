"""Finds the packed model that a command uses, and the task that its manifest names."""

import json
from pathlib import Path

from engine import layout, run_files, runs
from engine.errors import UserError
from engine.request import Request


def package(request: Request, run: str | None) -> Path:
    """Return the packed model of the run that this word names, or else of the newest complete run that
    has one.

    Prefer complete runs to those that `until` ended, whose model may not have been verified. Raise
    UserError if there is none.
    """
    usecase, target = request.usecase.name, request.target.name
    if run:
        candidates = [runs.of_request(request, run)]
    else:
        folder = request.outputs / usecase / target
        here = [path for path in layout.runs(request.outputs) if path.parent == folder]
        candidates = runs.packed({path: run_files.summary(path) for path in here})
    if candidates and (found := layout.package(candidates[0])):
        return found
    where = run or f"{usecase} for {target}"
    make = f"make one: python run.py usecase={usecase} target={target}"
    raise UserError(where, "no finished run has a packaged model", make)


def task(package: Path) -> str:
    """Return the task in the package's manifest; version 1 had only one task."""
    try:
        manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
        return str(manifest["task"]) if manifest.get("v", 1) != 1 else "activity"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        what, fix = "the manifest is damaged: it does not name a task", "run the use case again"
        raise UserError(f"{package}/manifest.json", what, fix) from None
