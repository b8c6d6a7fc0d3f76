"""Runs to record in MLflow, in folders like the engine's, and everything that an MLflow then contains."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import journal

ASSET = {
    "key": "videos",
    "name": "yoga",
    "digest": "tree:" + "ab" * 32,
    "source": "https://example.org/yoga.zip",
    "licence": "CC0",
    "path": "data/yoga",
    "sample": True,
}
FIGURE = {
    "kind": "confusion_matrix",
    "name": "int8 & more",
    "labels": ["http://ann:secret@host", "dog"],
    "matrix": [[7, 1], [0, 9]],
}
LONG = "x" * 7000


def whole_run(
    events: Any, make_job: Any, run_id: str = "r1", status: str = "finished", cached: str = "f" * 64
) -> list[dict[str, Any]]:
    """A run with everything that MLflow records: points, figures, a retry, a cached stage, a gate, an asset,
    long parameters.
    """
    jobs = [
        make_job("split", {"videos": "asset:videos"}),
        make_job("train", {"data": "split.out"}, params={"lr": 0.1}),
        make_job("package", {"model": "train.out"}),
    ]
    events.events.clear()
    params = {f"p{i}": i for i in range(150)} | {"long": LONG, "odd key!": "ü"}
    command = ["run.py", "tracking.uri=http://ann:secret@host", "stages.train.params.lr=0.1"]
    events.start(jobs, run_id=run_id, params=params, assets=[ASSET], command=command)
    events.cached(
        "split",
        fingerprint=cached,
        metrics={"rows": 100.0},
        points=[["rows", 1, 50.0, 1_700_000_000.0]],
    )
    events.started("train").add("metric", stage="train", name="loss", value=3.0, step=0).failed(
        "train", retry_in_s=1.0
    )
    events.started("train", attempt=2)
    for step in range(3):
        events.add("metric", stage="train", name="loss", value=1.0 / (step + 1), step=step)
    events.add("figure", stage="train", **FIGURE)
    events.add("figure", stage="train", kind="globe", name="of a newer version", phase=1)
    events.finished("train", attempt=2, accuracy=0.9, loss=0.3)
    events.add(
        "gate",
        stage="train",
        metric="accuracy",
        rule=">= 0.95",
        value=0.9,
        passed=status != "rejected",
    )
    events.add(
        "gate", stage="train", metric="bias", rule="<= 0 if measured", value=None, passed=None
    )
    if status == "rejected":
        events.add("job_skipped", stage="package", because="train was rejected")
    else:
        events.started("package", measured_on="simulated on x86_64", emulated=True).finished(
            "package", latency_ms=4.5
        )
    return list(events.done(status).events)


def make_folder(outputs: Path, found: list[dict[str, Any]], name: str = "r1") -> Path:
    """A run's folder like the engine's, with this journal."""
    folder = outputs / "demo" / "rpi4" / name
    for stage in ("split", "train"):
        (folder / "artifacts" / stage).mkdir(parents=True)
        (folder / "artifacts" / stage / "out").write_text(f"made by {stage}")
    (folder / "artifacts" / "split" / "out").chmod(0o444)
    for file in ("report.html", "run.json", "metrics.json"):
        (folder / file).write_text("{}")
    append(folder, found)
    return folder


def append(folder: Path, found: list[Mapping[str, Any]]) -> None:
    with (folder / journal.FILE_NAME).open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in found)


def snapshot(uri: str, experiment: str = "demo") -> dict[str, Any]:
    """Everything that MLflow contains, by run and stage, without what MLflow generates (ids, times)."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    names = {run.info.run_id: run.data.tags.get("rpi.stage", "PARENT") for run in runs}
    known: dict[str, Any] = {}
    for run in runs:
        tags = dict(run.data.tags)
        place = f"{tags['rpi.run_id']}/{tags.get('rpi.stage', '')}"
        assert place not in known, "recorded twice"
        for key, value in tags.items():
            tags[key] = _without_ids(value, names)
        points = {
            k: sorted(
                (p.timestamp, p.step, p.value)
                for p in client.get_metric_history(run.info.run_id, k)
            )
            for k in run.data.metrics
        }
        inputs = [
            (i.dataset.name, i.dataset.digest, i.dataset.source) for i in run.inputs.dataset_inputs
        ]
        known[place] = {
            "name": run.info.run_name,
            "tags": tags,
            "params": run.data.params,
            "points": points,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "inputs": inputs,
            "last": run.data.metrics,
            "files": sorted(files(client, run.info.run_id)),
        }
    return known


def _without_ids(value: str, names: Mapping[str, str]) -> str:
    """The text with each MLflow run's id replaced by the stage's name, and without the experiment's id."""
    for mlflow_id, stage in names.items():
        value = value.replace(mlflow_id, stage)
    return re.sub(r"/experiments/\d+", "/experiments/1", value)


def files(client: Any, run_id: str, path: str | None = None) -> Iterator[str]:
    for found in client.list_artifacts(run_id, path):
        yield from files(client, run_id, found.path) if found.is_dir else [found.path]


def database(outputs: Path) -> str:
    return f"sqlite:///{outputs}/mlflow.db"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(is_true: Callable[[], Any], seconds: float) -> float:
    began = time.monotonic()
    while not is_true():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - began
