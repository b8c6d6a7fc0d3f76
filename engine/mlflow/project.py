"""Imports what an MLflow Project logged: a run below that of its stage, and the runs nested in it.

The output `mlflow_run`, which engine/stage/project_runs.py writes, has one folder for each run. Every
call is idempotent: a run is searched for by the stage's run and its number before it is created. The
output is validated like any file that a stage wrote; another one is sent as an ordinary artifact.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import handles
from engine.jsontypes import Count
from engine.mlflow import artifacts
from engine.mlflow.entries import Entry, key, text

OUTPUT = "mlflow_run"
TAG = "rpi.project_run"  # of an imported run: its number in the output
_OF = "rpi.project_of"  # of an imported run: the MLflow run of its stage
_MOST_RUNS = 1_000
_MOST_POINTS = 100_000
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


class LoggedRun(BaseModel):
    """A run.json that engine/stage/project_runs.py writes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1]
    name: str = ""
    parent: Annotated[int, Field(ge=0)] = 0
    status: Literal["", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
    start_ms: Count = 0
    end_ms: Count = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    # name, value, time in ms, step
    points: Annotated[list[tuple[str, float, Count, Count]], Field(max_length=_MOST_POINTS)] = []

    @property
    def end(self) -> tuple[str, int]:
        """Return how the run ended, and when; one that the project left open was ended with it."""
        is_open = self.status in ("RUNNING", "SCHEDULED")
        return "KILLED" if is_open else self.status, self.end_ms


Logged = Sequence[tuple[Path, LoggedRun]]  # the folders of the runs, the project's own first


def read(name: str, path: Path) -> Logged | None:
    """Return the runs in an output; None if it is another output, or has anything else in it."""
    if name != OUTPUT:
        return None
    nested = sorted((path / "nested").glob("*"))[:_MOST_RUNS]
    try:
        return [(folder, _read(folder / "run.json")) for folder in (path, *nested)]
    except (OSError, ValidationError):
        return None


def send(
    client: Any,
    stage: Stage,
    logged: Logged,
    log: Callable[[str, Entry], None],
    folder_of: Callable[[str], Path | None],
) -> None:
    """Send the project's runs.

    log: adds an entry to an MLflow run. folder_of: the local folder of an artifact URI, if there is one.
    """
    known = _known(client, stage)
    for number, (folder, about) in enumerate(logged):
        if not about.status:  # nothing could be logged
            continue
        parent = known.get(about.parent, stage.mlflow_id) if number else stage.mlflow_id
        if number not in known:
            known[number] = _created(client, stage, about, number, parent)
        log(known[number], _entry(about))
        _send_artifacts(client, stage, known[number], folder / "artifacts", folder_of)
        client.set_terminated(known[number], *about.end)


def _read(path: Path) -> LoggedRun:
    return LoggedRun.model_validate_json(handles.read(path, _MOST_BYTES))


def _known(client: Any, stage: Stage) -> dict[int, str]:
    """Return the runs that an earlier attempt created, by number."""
    mine = f"tags.`{_OF}` = '{stage.mlflow_id}'"
    found = client.search_runs([stage.experiment], mine, max_results=_MOST_RUNS)
    return {int(run.data.tags[TAG]): run.info.run_id for run in found}


def _created(client: Any, stage: Stage, about: LoggedRun, number: int, parent: str) -> str:
    own = {TAG: str(number), _OF: stage.mlflow_id, "mlflow.parentRunId": parent}
    name = text(about.name)[:250] or None
    run = client.create_run(stage.experiment, about.start_ms, {**stage.tags, **own}, name)
    return str(run.info.run_id)


def _entry(about: LoggedRun) -> Entry:
    """Return everything that the run logged, as an entry."""
    tags = {name: value for name, value in about.tags.items() if name not in _LEFT_OUT}
    return Entry(
        None,
        about.start_ms,
        params={key(name): text(value) for name, value in about.params.items()},
        tags={key(name): text(value) for name, value in tags.items()},
        points=tuple(
            (key(name), value, time_ms, step) for name, value, time_ms, step in about.points
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
    names = sorted(folder.iterdir()) if folder.is_dir() else []
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
