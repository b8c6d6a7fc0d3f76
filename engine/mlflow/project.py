"""Imports what an MLflow Project logged: a run below that of its stage, and the runs nested in it.

The output `mlflow_run`, which engine/stage/project_runs.py writes, has one folder for each run. Every
call is idempotent: a run is searched for by the stage's run and its number before it is created.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.mlflow import artifacts
from engine.mlflow.entries import Entry, key, text

OUTPUT = "mlflow_run"
TAG = "rpi.project_run"  # of an imported run: its number in the output
_OF = "rpi.project_of"  # of an imported run: the MLflow run of its stage
_MOST_RUNS = 1_000
_MOST_BYTES = 100_000_000  # of a run.json
# Tags that MLflow sets for the place where a run is recorded, or that would be wrong here
_LEFT_OUT = ("mlflow.parentRunId", "mlflow.runName", "mlflow.log-model.history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stage whose project is imported."""

    mlflow_id: str
    experiment: str
    tags: Mapping[str, str]  # by which the engine finds all MLflow runs of a run
    digest: str  # of the output
    max_bytes: int  # of the artifacts of one run


def is_logged(name: str, path: Path) -> bool:
    """Return whether the output has the runs of a project."""
    return name == OUTPUT and (path / "run.json").is_file()


def send(
    client: Any,
    stage: Stage,
    path: Path,
    log: Callable[[str, Entry], None],
    folder_of: Callable[[str], Path | None],
) -> None:
    """Send the project's runs.

    log: adds an entry to an MLflow run. folder_of: the local folder of an artifact URI, if there is one.
    """
    known = _known(client, stage)
    for number, folder in _folders(path):
        about = _read(folder / "run.json")
        if not about.get("status"):  # nothing could be logged
            continue
        parent = stage.mlflow_id if number == 0 else known.get(about["parent"], known[0])
        if number not in known:
            known[number] = _created(client, stage, about, number, parent)
        log(known[number], _entry(about))
        _send_artifacts(client, stage, known[number], folder / "artifacts", folder_of)
        client.set_terminated(known[number], about["status"], about["end_ms"])


def _known(client: Any, stage: Stage) -> dict[int, str]:
    """Return the runs that an earlier attempt created, by number."""
    mine = f"tags.`{_OF}` = '{stage.mlflow_id}'"
    found = client.search_runs([stage.experiment], mine, max_results=_MOST_RUNS)
    return {int(run.data.tags[TAG]): run.info.run_id for run in found}


def _folders(path: Path) -> Iterator[tuple[int, Path]]:
    yield 0, path
    for folder in sorted((path / "nested").glob("*")):
        yield int(folder.name), folder


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name} has more than {_MOST_BYTES} bytes")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _created(client: Any, stage: Stage, about: Mapping[str, Any], number: int, parent: str) -> str:
    own = {TAG: str(number), _OF: stage.mlflow_id, "mlflow.parentRunId": parent}
    name = text(about["name"])[:250] or None
    run = client.create_run(stage.experiment, about["start_ms"], {**stage.tags, **own}, name)
    return str(run.info.run_id)


def _entry(about: Mapping[str, Any]) -> Entry:
    """Return everything that the run logged, as an entry."""
    tags = {name: value for name, value in about["tags"].items() if name not in _LEFT_OUT}
    return Entry(
        None,
        about["start_ms"],
        params={key(name): text(value) for name, value in about["params"].items()},
        tags={key(name): text(value) for name, value in tags.items()},
        points=tuple(
            (key(name), float(value), int(time_ms), int(step))
            for name, value, time_ms, step in about["points"]
        ),
    )


def _send_artifacts(
    client: Any,
    stage: Stage,
    mlflow_id: str,
    folder: Path,
    folder_of: Callable[[str], Path | None],
) -> None:
    """Send the artifacts; tags with the output's digest tell `forget` where its contents are."""
    names = sorted(folder.iterdir())
    if why := artifacts.why_left_out(folder, stage.max_bytes):
        client.set_tag(mlflow_id, "rpi.left_out.artifacts", why)
        return
    if not names:
        return
    if local := folder_of(client.get_run(mlflow_id).info.artifact_uri):
        for path in names:
            artifacts.refer(path, local)
    else:
        with tempfile.TemporaryDirectory() as copied:
            artifacts.copy(folder, Path(copied) / "artifacts")
            client.log_artifacts(mlflow_id, str(Path(copied) / "artifacts"))
    for path in names:
        client.set_tag(mlflow_id, key(f"rpi.output.{path.name}"), stage.digest)
