"""Which run a command is about, and which run made what another one took from the store."""

from collections.abc import Iterable
from pathlib import Path

from engine import layout
from engine.compose import Request
from engine.events import StageState


def chosen(request: Request) -> Path:
    """Return the folder of run=ID, or of the newest run, of the use case and target as far as the user named
    them.
    """
    named = {word.partition("=")[0] for word in request.choices_given}
    usecase = request.usecase.name if "usecase" in named else None
    target = request.target.name if "target" in named else None
    return layout.find_run(request.outputs, request.settings.run, usecase, target)


def makers(outputs: Path, stages: Iterable[StageState]) -> dict[str, Path]:
    """Return for each of these stages the newest run that did its job itself, where there is one still.

    Each journal is read once.
    """
    wanted = {stage.name: stage.fingerprint for stage in stages}
    found: dict[str, Path] = {}
    for run_dir in reversed(layout.runs(outputs)):
        if wanted.keys() <= found.keys():
            break
        for theirs in layout.state(run_dir).stages.values():
            if not theirs.cached and theirs.name in wanted and theirs.fingerprint == wanted[theirs.name]:
                found.setdefault(theirs.name, run_dir)
    return found
