"""Selects the run that a command works on, and finds the run that produced cached outputs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine import layout, run_files, run_names
from engine.errors import UserError, did_you_mean
from engine.events import RunState
from engine.fingerprint import Parts
from engine.foreach import base_of
from engine.request import Request
from engine.run_files import RunSummary
from engine.store import Store


def chosen(request: Request, run: str | None) -> Path:
    """Return the folder of the run with this name, or with this id or its beginning.

    Without a word: the newest run of the use case and target that the user named.
    """
    named = {word.partition("=")[0] for word in request.choices_given}
    usecase = request.usecase.name if "usecase" in named else None
    target = request.target.name if "target" in named else None
    if run is not None:
        return run_names.find(request.outputs, run, usecase, target)
    found = layout.newest_run(request.outputs, usecase, target)
    if found is None:
        wanted = f"usecase={request.usecase.name} target={request.target.name}"
        raise UserError(
            str(request.outputs), "there is no run here yet", f"start one: python run.py {wanted}"
        )
    return found


def of_request(request: Request, run: str) -> Path:
    """Return the run that this word names; raise UserError if it has another use case or target.

    For commands that need the run's configuration as well as its files.
    """
    usecase, target = request.usecase.name, request.target.name
    found = run_names.find(request.outputs, run, usecase, target)
    theirs = found.parent.parent.name, found.parent.name
    if theirs != (usecase, target):
        what = f"{run_names.label(found)} is a run of {theirs[0]} on {theirs[1]}"
        raise UserError(f"run={run}", what, f"add usecase={theirs[0]} target={theirs[1]}")
    return found


def packed(runs: Mapping[Path, RunSummary]) -> list[Path]:
    """Return the finished runs with a packed model, the best choice first.

    Complete runs come before those that `until` ended early; newer runs come first.
    """
    found = [
        path
        for path in layout.newest_first(runs)
        if runs[path].status == "finished" and layout.package(path)
    ]
    return sorted(found, key=lambda path: not runs[path].is_complete)


def lasting(runs: Mapping[Path, RunSummary]) -> set[Path]:
    """Return the runs of one use case and target that `clean` never removes: the newest complete run,
    the run whose package would be chosen, and the run with the newest package.
    """
    complete = [path for path in layout.newest_first(runs) if runs[path].is_complete]
    with_package = packed(runs)
    newest = layout.newest_first(with_package)
    return {*complete[:1], *with_package[:1], *newest[:1]}


def stages_named(name: str | None, known: Iterable[str]) -> list[str]:
    """Return the stages with this name: one, or those of all its values; all stages if it is None.

    Raise UserError, with the nearest name, if there is none.
    """
    names = list(known)
    found = [one for one in names if name in (None, one, base_of(one))]
    if not found and name is not None:
        raise UserError(f"stage={name}", "there is no such stage", did_you_mean(name, names))
    return found


def parts(state: RunState, store: Store) -> dict[str, Parts]:
    """Return what each stage's fingerprint was computed from, as far as the store has its record."""
    records = {
        stage.name: store.record(stage.fingerprint)
        for stage in state.stages.values()
        if stage.fingerprint
    }
    return {name: one.parts for name, one in records.items() if one}


def makers(outputs: Path, wanted: Mapping[str, str | None]) -> dict[str, Path]:
    """Return, by stage, the newest existing run that ran it with the wanted fingerprint."""
    found: dict[str, Path] = {}
    for run_dir in reversed(layout.runs(outputs)):
        if wanted.keys() <= found.keys():
            break
        for name, stage in run_files.summary(run_dir).stages.items():
            if not stage.cached and stage.fingerprint and stage.fingerprint == wanted.get(name):
                found.setdefault(name, run_dir)
    return found
