"""`graph`: show the DAG in the terminal, or write a picture with output=FILE.svg or FILE.png."""

import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from engine import layout, ordinary, planning, provenance, run_files
from engine.drawing import picture
from engine.drawing.geometry import Edge, Node
from engine.errors import UserError
from engine.events import replay
from engine.kubeflow import graph as pipelines
from engine.options import CommandOptions
from engine.publisher import cached
from engine.request import Request
from engine.wording import grouped


class Options(CommandOptions):
    """The options of `graph`."""

    output: str | None = Field(None, description="the picture to write: FILE.svg or FILE.png")
    input: str | None = Field(
        None, description="a pipeline of Kubeflow Pipelines to draw instead, FILE.yaml"
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Draw the plan with its state, or a written pipeline; print it, or write it as a picture."""
    options = request.options
    if options.input is not None:
        file = Path(options.input)
        nodes, edges = pipelines.of_file(file, f"input={file}")
        _show(nodes, edges, options.output, [])
        return 0, None
    nodes, edges, left_out = _of_plan(request)
    _show(nodes, edges, options.output, left_out)
    return 0, None


def _of_plan(request: Request[Options]) -> tuple[list[Node], list[Edge], list[str]]:
    """Return the plan, with the cached stages and those that are running now, and what is left out."""
    planned = planning.plan(request)
    plan = planned.plan
    found = [cached(name, one.record) for name, one in plan.jobs.items() if one.record]
    events = [provenance.run_started(request, plan, ""), *found]
    state = replay({**event, "time": time.time()} for event in events)
    for name in _running(request, planned):
        state.stages[name].state = "running"
    return *picture.of_run(state), grouped(plan.left_out)


def _show(
    nodes: Sequence[Node], edges: Sequence[Edge], output: str | None, left_out: Sequence[str]
) -> None:
    if output is None:
        print(picture.text(nodes, edges))
        for text in left_out:
            print(f"left out: {text}")
        return
    path = Path(output)
    with ordinary.writing(output):
        _write(path, nodes, edges)
    print(path)


def _running(request: Request[Options], planned: planning.Planning) -> list[str]:
    """Return the stages of the plan that a run of this use case and target is executing now."""
    run_dir = layout.newest_run(request.outputs, request.usecase.name, request.target.name)
    if run_dir is None or not planned.store.locks.is_at_work(run_dir.name):
        return []
    stages = run_files.state(run_dir).stages
    return [
        name
        for name, one in planned.plan.jobs.items()
        if name in stages
        and stages[name].state == "running"
        and stages[name].fingerprint == one.fingerprint
    ]


def _write(path: Path, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
    if path.suffix == ".svg":
        path.write_text(picture.svg(nodes, edges), encoding="utf-8")
    elif path.suffix == ".png":
        path.write_bytes(picture.png(nodes, edges))
    else:
        fix = path / "dag.svg" if path.is_dir() else path.with_suffix(".svg")
        raise UserError(
            f"output={path}", "a picture is written as .svg or .png", f"write output={fix}"
        )
