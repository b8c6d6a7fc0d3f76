"""`graph`: the DAG in the terminal, or as a picture with output=FILE.svg or FILE.png."""

from collections.abc import Sequence
from pathlib import Path

from engine import picture
from engine.commands import _output, _planning
from engine.compose import Request
from engine.errors import UserError
from engine.events import replay
from engine.geometry import Edge, Node
from engine.plan import Planned


def main(request: Request) -> tuple[int, None]:
    """Draw the plan."""
    plan = _planning.plan(request).plan
    assets = [
        {"key": a.key, "name": a.name, "sample": a.sample, "licence": a.licence} for a in plan.assets.values()
    ]
    events = [
        {
            "event": "run_started",
            "time": 0.0,
            "usecase": plan.usecase,
            "target": plan.target.name,
            "assets": assets,
            "jobs": _planning.describe(plan),
        },
        *(_cached(name, planned) for name, planned in plan.jobs.items() if planned.record),
    ]
    nodes, edges = picture.of_run(replay(events))
    output = request.settings.output
    if output is None:
        print(picture.text(nodes, edges))
        return 0, None
    path = Path(output)
    with _output.writing(output):
        _write(path, nodes, edges)
    print(path)
    return 0, None


def _write(path: Path, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
    if path.suffix == ".svg":
        path.write_text(picture.svg(nodes, edges), encoding="utf-8")
    elif path.suffix == ".png":
        path.write_bytes(picture.png(nodes, edges))
    else:
        raise UserError(
            f"output={path}",
            "a picture is written as .svg or .png",
            f"write output={path / 'dag.svg' if path.is_dir() else path.with_suffix('.svg')}",
        )


def _cached(name: str, planned: Planned) -> dict[str, object]:
    record = planned.record
    assert record is not None
    return {
        "event": "job_cached",
        "time": 0.0,
        "stage": name,
        "fingerprint": record.fingerprint,
        "outputs": record.outputs,
        "metrics": record.metrics,
        "points": [],
        "figures": [],
        "seconds": record.seconds,
        "platform": record.platform,
        "emulated": record.emulated,
        "taken": record.taken,
    }
