"""Which run a command is about, and which run made what another one found in the store."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine import layout
from engine.errors import UserError, did_you_mean
from engine.events import StageState
from engine.request import Request


def chosen(request: Request) -> Path:
    """Return the folder of run=ID, or of the newest run of the use case and target that the user named."""
    named = {word.partition("=")[0] for word in request.choices_given}
    usecase = request.usecase.name if "usecase" in named else None
    target = request.target.name if "target" in named else None
    return layout.find_run(request.outputs, request.settings.run, usecase, target)


def stage_named(name: str, known: Mapping[str, object]) -> str:
    """Return the stage's name, or raise UserError with the nearest one."""
    if name not in known:
        raise UserError(f"stage={name}", "there is no such stage", did_you_mean(name, known))
    return name


def makers(outputs: Path, stages: Iterable[StageState]) -> dict[str, Path]:
    """Return for each of these stages the newest run that ran it, if that run is still there."""
    wanted = {stage.name: stage.fingerprint for stage in stages}
    found: dict[str, Path] = {}
    for run_dir in reversed(layout.runs(outputs)):
        if wanted.keys() <= found.keys():
            break
        for theirs in layout.state(run_dir).stages.values():
            if not theirs.cached and theirs.fingerprint and theirs.fingerprint == wanted.get(theirs.name):
                found.setdefault(theirs.name, run_dir)
    return found
