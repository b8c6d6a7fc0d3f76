"""Sees to it that the engines have the images that a plan needs: builds what is missing, as the use case of
the images does.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine import layout
from engine.catalogue import ROOT
from engine.commands import _planning
from engine.commands._executors import base_of
from engine.commands._planning import Planning
from engine.compose import Request
from engine.errors import UserError
from engine.images import Image


def planned(request: Request) -> Planning:
    """Return the plan, with every image that it needs in its engine.

    Where `executor=auto` chose containers and an image cannot be built, the plan is one of local processes.
    """
    planning = _planning.plan(request)
    try:
        _bring(request, planning)
    except UserError as error:
        if request.settings.executor.name != "auto":
            raise
        planning.executors.close()
        planning = _planning.plan(request, f"{error.where}: {error.what}")
        _bring(request, planning)
    return planning


def build(request: Request, images: Iterable[Image]) -> dict[str, Path]:
    """Build the images, or take them from the store, and return their archives by reference.

    UserError where that fails.
    """
    wanted = list(images)
    archives: dict[str, Path] = {}
    for usecase in dict.fromkeys(image.usecase for image in wanted):
        stages = {image.reference: image.stage for image in wanted if image.usecase == usecase}
        run_dir = _run(request, usecase, list(stages.values()))
        archives |= {
            reference: run_dir / "artifacts" / stage / "archive" for reference, stage in stages.items()
        }
    return archives


def _bring(request: Request, planning: Planning) -> None:
    executors = planning.executors
    to_run = [one for one in planning.plan.jobs.values() if one.record is None]
    missing = executors.missing(to_run)
    wanted = {reference for references in missing.values() for reference in references}
    if not wanted:
        return
    archives = build(request, [image for image in executors.images() if image.reference in wanted])
    for name, references in missing.items():
        for reference in references:
            executors.load(name, reference, archives[reference])


def _run(request: Request, usecase: str, stages: Sequence[str]) -> Path:
    """Run the stages of the images' use case in a process of its own, and return the folder of the run.

    It works in the user's folder: a containers/ there goes before the project's, as it did when the tags were
    made.
    """
    packages = dict.fromkeys(["stages", *request.settings.stage_packages])
    own = [f"--config-dir={folder}" for folder in request.config_dirs[:-1]]
    words = [
        *own,
        f"stage_packages=[{','.join(packages)}]",
        f"usecase={usecase}",
        "target=x86_64",
        f"until=[{','.join(stages)}]",
        "executor=local",
        "tracking=none",
        f"outputs={request.outputs}",
        f"params.base={base_of(request)}",
    ]
    print(f"images: python run.py {' '.join(words)}", file=sys.stderr)
    status = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words],
        cwd=request.roots[0],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    ).returncode
    if status:
        raise UserError(
            f"usecase={usecase}",
            f"the images could not be built: {', '.join(stages)}",
            "see what it says above; or executor=local",
        )
    return layout.find_run(request.outputs, None, usecase, "x86_64")
