"""Measures how long a plan of 1,000 stages takes to become a pipeline of Kubeflow Pipelines.

Beside it stands the same pipeline written by hand with kfp's SDK: the same components, memory limits,
retries and cache keys, each task reading the output of the one before. Both times include the YAML,
and neither includes imports or planning; planning is printed on its own.
Usage: benchmarks/kubeflow.py [STAGES]
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

STAGES = 1000
STAGE = """
from engine.stage import In, Out
def step(before: In | None, data: Out, *, n: int = 0) -> None:
    ...
"""
IMAGE = f"registry.example.org/team/runtime@sha256:{'0' * 64}"
COMPONENT: Mapping[str, Any] = {
    "outputs": [
        {"name": "data", "type": "Dataset"},
        {"name": "stage_report", "type": "Artifact"},
        {"name": "stage_metrics", "type": "Metrics"},
    ]
}


def main(count: int) -> None:
    """Print the seconds of each way, and their ratio."""
    importlib.import_module("kfp.compiler")  # before anything is measured

    with tempfile.TemporaryDirectory() as folder:
        planning_s, ours_s, ours = _ours(count, Path(folder))
        theirs_s, theirs = _by_hand(count, Path(folder))
    print(f"planning {count} stages: {planning_s:.1f} s")
    print(f"compiled from the plan: {ours_s:.1f} s, {ours / 1e6:.1f} MB of YAML")
    print(f"compiled by kfp's SDK: {theirs_s:.1f} s, {theirs / 1e6:.1f} MB of YAML")
    print(f"ratio: {theirs_s / ours_s:.1f}")


def _ours(count: int, folder: Path) -> tuple[float, float, int]:
    """Return the seconds of planning and of compiling, and the bytes of the YAML."""
    from engine import compose, planning, registration
    from engine.kubeflow import document, pipeline, tasks

    _write_usecase(count, folder)
    words = ["--config-dir", str(folder / "conf"), "usecase=many", "target=x86_64",
             "stage_packages=[many]", "executor=kubeflow", "kubeflow.data_root=s3://bucket/p",
             "kubeflow.registry=localhost:5000", f"outputs={folder}/outputs", "tracking=none"]  # fmt: skip
    request = compose.single(registration.register(words))
    planning_s, planned = _timed(lambda: planning.plan(request))
    sources = tasks.Sources(image=lambda name: IMAGE)
    settings = request.settings.kubeflow
    seconds, text = _timed(
        lambda: document.written(pipeline.compiled(planned.plan, settings, sources))
    )
    return planning_s, seconds, len(text)


def _write_usecase(count: int, folder: Path) -> None:
    (folder / "conf" / "usecases").mkdir(parents=True)
    (folder / "many").mkdir()
    (folder / "many" / "step.py").write_text(STAGE)
    more = {"retries": 1, "resources": {"memory": "1G"}}
    stages = {
        f"s{at}": {
            "uses": "many.step",
            "inputs": {"before": f"s{at - 1}.data"} if at else {},
            "params": {"n": at},
            **more,
        }
        for at in range(count)
    }
    path = folder / "conf" / "usecases" / "many.yaml"
    path.write_text(json.dumps({"name": "many", "stages": stages}))


def _by_hand(count: int, folder: Path) -> tuple[float, int]:
    """Return the seconds of kfp's SDK, and the bytes of its YAML."""
    from kfp import compiler, components, dsl

    def compile_it() -> None:
        made = [components.load_component_from_text(_component(at)) for at in range(count)]

        @dsl.pipeline(name="many-x86-64")
        def many() -> None:
            before: Any = None
            for at, one in enumerate(made):
                task = one(before=before.outputs["data"]) if before else one()
                task.set_caching_options(True, cache_key=f"{at:064}")
                task.set_memory_limit("1G").set_memory_request("1G")
                task.set_retry(1, backoff_duration="1s", backoff_factor=2.0)
                before = task

        compiler.Compiler().compile(many, str(folder / "by-hand.yaml"))

    seconds, _ = _timed(compile_it)
    return seconds, (folder / "by-hand.yaml").stat().st_size


def _component(at: int) -> str:
    reads = {"inputs": [{"name": "before", "type": "Dataset"}]} if at else {}
    words: list[Any] = ["python3", "-m", "engine.stage.kubeflow", "run", json.dumps({"n": at})]
    words += ["--input", "before", {"inputPath": "before"}] if at else []
    words += ["--output", "data", {"outputPath": "data"}]
    words += [
        "--report",
        {"outputPath": "stage_report"},
        "--metrics",
        {"outputPath": "stage_metrics"},
    ]
    container = {"container": {"image": IMAGE, "command": words}}
    return json.dumps({"name": f"s{at}", **reads, **COMPONENT, "implementation": container})


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.monotonic()
    found = act()
    return time.monotonic() - start, found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STAGES)
