"""`graph`: the DAG in the terminal, or as a picture with output=FILE.svg or FILE.png."""

import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from engine import ordinary, planning, provenance
from engine.drawing import picture
from engine.drawing.geometry import Edge, Node
from engine.errors import UserError
from engine.events import replay
from engine.options import CommandOptions
from engine.publisher import cached
from engine.request import Request


class Options(CommandOptions):
    """The options of `graph`."""

    output: str | None = Field(None, description="the picture to write: FILE.svg or FILE.png")


def main(request: Request[Options]) -> tuple[int, None]:
    """Draw the plan."""
    plan = planning.plan(request).plan
    found = [cached(name, one.record) for name, one in plan.jobs.items() if one.record]
    events = [provenance.run_started(request, plan, ""), *found]
    nodes, edges = picture.of_run(replay({**event, "time": time.time()} for event in events))
    output = request.options.output
    if output is None:
        print(picture.text(nodes, edges))
        return 0, None
    path = Path(output)
    with ordinary.writing(output):
        _write(path, nodes, edges)
    print(path)
    return 0, None


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
