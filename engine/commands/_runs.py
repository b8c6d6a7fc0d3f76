"""Which run a command is about, and which run made what another one took from the store."""

from pathlib import Path

from engine import layout
from engine.compose import Request
from engine.events import StageState


def chosen(request: Request) -> Path:
    """Return the folder of run=ID, or of the newest run, of the use case and target as far as the user named them."""
    named = {word.partition("=")[0] for word in request.choices_given}
    usecase = request.usecase.name if "usecase" in named else None
    target = request.target.name if "target" in named else None
    return layout.find_run(request.outputs, request.settings.run, usecase, target)


def maker(outputs: Path, stage: StageState) -> Path | None:
    """Return the newest run that did this job itself; None where it was removed since."""
    for run_dir in reversed(layout.runs(outputs)):
        theirs = layout.state(run_dir).stages.get(stage.name)
        if theirs and not theirs.cached and theirs.fingerprint == stage.fingerprint:
            return run_dir
    return None
