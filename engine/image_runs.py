"""Builds, bakes and pushes images: runs the use cases whose stages do that.

drive.py passes the function that runs a request, because it calls this for images that are missing.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from engine import image_catalogue, job_code, layout
from engine.errors import UserError
from engine.images import Image, with_code
from engine.registration import quoted
from engine.request import Request
from engine.vocabulary import RunStatus

_BAKED = "baked_images"  # the use case that adds code to an image


class Ended(Protocol):
    """How a run ended."""

    @property
    def status(self) -> RunStatus:
        """Return its status."""

    @property
    def run_dir(self) -> Path:
        """Return its folder."""


Run = Callable[[Request], Ended]


def build(request: Request, images: Iterable[Image], run: Run) -> dict[str, Path]:
    """Build the images, or find them in the store, and return their archives by full name.

    Raise UserError if a build fails.
    """
    wanted = list(images)
    archives: dict[str, Path] = {}
    for usecase in dict.fromkeys(image.usecase for image in wanted):
        stages = {image.full_name: image.stage for image in wanted if image.usecase == usecase}
        run_dir = _run(request, usecase, list(stages.values()), run)
        for full_name, stage in stages.items():
            archives[full_name] = layout.artifact(run_dir, stage, "archive")
    return archives


def bake(request: Request, images: Iterable[Image], run: Run) -> dict[str, Path]:
    """Build the images and add the code of stages to them; return the archives by the name with code."""
    found = {}
    for image, words, short in _with_code(request, images, run):
        run_dir = _run(request, _BAKED, ["bake"], run, words)
        found[with_code(image.full_name, short)] = layout.artifact(run_dir, "bake", "archive")
    return found


def push(request: Request, images: Iterable[Image], run: Run, registry: str) -> dict[str, Path]:
    """Build the images, add the code of stages, and push what the registry lacks.

    Return the reports of the pushes by full name, without code. Raise UserError if one fails.
    """
    found = {}
    for image, words, short in _with_code(request, images, run):
        more = [
            *words,
            f"params.name={image.name}",
            f"params.tag={image.tag}-{short}",
            f"params.registry={quoted(registry)}",
            "force=[push]",  # the store may know a push that the registry has lost
        ]
        run_dir = _run(request, _BAKED, ["push"], run, more)
        found[image.full_name] = layout.artifact(run_dir, "push", "report")
    return found


def _with_code(
    request: Request, images: Iterable[Image], run: Run
) -> list[tuple[Image, list[str], str]]:
    """Build the images, and return the words for the use case that adds code to each."""
    wanted = list(images)
    code = job_code.find(request.roots, request.settings.stage_packages)
    archives = build(request, wanted, run)
    folder = job_code.lay_out(code, layout.store_dir(request.outputs))
    given = f"assets.code={quoted(str(folder))}"
    return [
        (image, [f"assets.image={quoted(str(archives[image.full_name]))}", given], code.short)
        for image in wanted
    ]


def _run(
    request: Request, usecase: str, stages: Sequence[str], run: Run, more: Sequence[str] = ()
) -> Path:
    """Run stages of the images' use case as local processes, and return the folder of that run."""
    packages = dict.fromkeys(["stages", *request.settings.stage_packages])
    words = [
        f"stage_packages=[{','.join(packages)}]",
        f"usecase={usecase}",
        "target=x86_64",
        f"until=[{','.join(stages)}]",
        "executor=local",
        "tracking=none",
        f"outputs={quoted(str(request.outputs))}",
        f"params.base={image_catalogue.base_of(request)}",
        *more,
    ]

    from engine import compose  # Hydra, which a run does not need if its images exist

    builds = compose.another(request, words)
    sys.stderr.write(f"images: {' '.join(builds.command)}\n")
    outcome = None
    try:
        outcome = run(builds)
    except* UserError as mistakes:
        sys.stderr.write("".join(f"{mistake}\n" for mistake in mistakes.exceptions))
    if outcome and outcome.status == "interrupted":
        raise KeyboardInterrupt
    if outcome is None or outcome.status != "finished":
        done = "pushed" if stages == ["push"] else "built"
        what = f"the images could not be {done}: {', '.join(stages)}"
        raise UserError(f"usecase={usecase}", what, "see its output above; or executor=local")
    return outcome.run_dir
