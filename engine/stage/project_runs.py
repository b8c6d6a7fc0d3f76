"""The private MLflow store of a project's job: its runs while they are logged, and their export.

The store is made and read by the MLflow of the environment that runs the project, so that their
versions agree. Without MLflow there, nothing is logged, and a note says so.
"""

import contextlib
import json
import math
import os
import shutil
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple
from urllib.parse import quote, unquote, urlsplit

from engine import stage

FOLLOW_S = 2.0  # interval at which the curves are read while the project runs
MOST_RUNS = 50  # of a project: those of a sweep inside it
MOST_POINTS = 20_000  # of a run, in the journal and in the export
_Point = Tuple[str, float, int, int]  # name, value, time in ms, step
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Tracking:
    """The runs of one project."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Create the store and the project's run; about: the project's name, its experiment, and tags."""
        self.environment: Dict[str, str] = {}  # for the project's process
        self._client: Any = None
        self._run_id = ""
        self._sent: Set[_Point] = set()
        self._notes: Set[str] = set()
        self._ended = threading.Event()
        try:
            self._open(folder, about)
        except Exception as error:  # not installed, or only a part of it
            first = (str(error).splitlines() or [""])[0]
            stage.note(f"nothing can be logged: MLflow does not work here ({first})")
            self._client = None

    def _open(self, folder: Path, about: Mapping[str, Any]) -> None:
        os.environ.update(_QUIET)
        from mlflow.tracking import MlflowClient

        folder.mkdir()
        database = folder / "mlflow.db"
        uri = _sqlite_uri(database)
        client = MlflowClient(uri, uri)
        experiment = client.create_experiment(about["experiment"], (folder / "artifacts").as_uri())
        run = client.create_run(experiment, tags=about["tags"], run_name=about["project"])
        with contextlib.closing(sqlite3.connect(str(database))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # readers then do not block the project
        self._client, self._run_id = client, run.info.run_id
        self.environment = {
            **_QUIET,
            "MLFLOW_TRACKING_URI": uri,
            "MLFLOW_REGISTRY_URI": uri,
            "MLFLOW_EXPERIMENT_ID": str(experiment),
            "MLFLOW_RUN_ID": self._run_id,
        }

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Report the run's curves while the block runs, and the rest at its end."""
        thread = threading.Thread(target=self._follow, daemon=True)
        if self._client:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            if self._client:
                thread.join()
                self.report()

    def report(self, every: bool = False) -> None:
        """Report the new points of metrics that have more than one, or of every metric: a single point is
        no curve, and the metrics of a project that ends well are returned.
        """
        points = self._points(self._client.get_run(self._run_id)) if self._client else []
        counts: Dict[str, int] = {}
        for name, *_ in points:
            counts[name] = counts.get(name, 0) + 1
        for point in points:
            name, value, time_ms, step = point
            is_drawn = _is_finite(value) and (every or counts[name] > 1)
            if is_drawn and point not in self._sent:
                self._sent.add(point)
                stage.metric(name, value, step, time_ms / 1000)

    def end(self, values: Mapping[str, str], is_good: bool) -> None:
        """End the run, and add the parameters that the project did not log itself."""
        if not self._client:
            return
        known = self._client.get_run(self._run_id).data.params
        for name, value in values.items():
            if name not in known:
                self._client.log_param(self._run_id, name, value[:500])
        self._client.set_terminated(self._run_id, "FINISHED" if is_good else "FAILED")

    def export(self, folder: Path) -> Dict[str, float]:
        """Write the runs to a new folder, and return the metrics of the first.

        run.json and artifacts/ are those of the project's own run; nested/001, nested/002 and so on
        have those of other runs that it made, such as the trials of a search.
        """
        folder.mkdir()
        if not self._client:
            _write(folder / "run.json", {"v": 1, "status": "", "params": {}, "points": []})
            return {}
        main, *others = self._runs()
        numbers = {run.info.run_id: at for at, run in enumerate([main, *others])}
        for at, run in enumerate([main, *others]):
            own = folder / "nested" / f"{at:03d}" if at else folder
            own.mkdir(parents=True, exist_ok=True)
            self._export(run, own, numbers)
        return _finite(main.data.metrics)

    def _runs(self) -> List[Any]:
        """Return the project's own run, and the others in the order in which they started."""
        experiments = [one.experiment_id for one in self._client.search_experiments()]
        found = self._client.search_runs(
            experiments, order_by=["attributes.start_time ASC"], max_results=MOST_RUNS + 2
        )
        others = [run for run in found if run.info.run_id != self._run_id]
        if len(others) > MOST_RUNS:
            stage.note(f"it logged more than {MOST_RUNS} runs of its own; the rest is left out")
        return [self._client.get_run(self._run_id), *others[:MOST_RUNS]]

    def _export(self, run: Any, folder: Path, numbers: Mapping[str, int]) -> None:
        tags = dict(run.data.tags)
        parent = numbers.get(tags.pop("mlflow.parentRunId", ""), 0)
        about = {
            "v": 1,
            "name": run.info.run_name or tags.get("mlflow.runName", ""),
            "parent": parent,  # the number of the run that it is nested in
            "status": run.info.status,
            "start_ms": run.info.start_time,
            "end_ms": run.info.end_time or run.info.start_time,
            "params": dict(run.data.params),
            "metrics": {name: _plain(value) for name, value in run.data.metrics.items()},
            "tags": tags,
            "points": [[one[0], _plain(one[1]), *one[2:]] for one in self._points(run)],
        }
        _write(folder / "run.json", about)
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        if source := _path(run.info.artifact_uri):
            _copy(source, artifacts)
        for model in self._models(run):
            source = _path(model.artifact_location)
            if source and not (artifacts / model.name).exists():
                _copy(source, artifacts / model.name)

    def _models(self, run: Any) -> List[Any]:
        """Return the models that the run logged: since MLflow 3 they are not among its artifacts."""
        if not hasattr(self._client, "search_logged_models"):
            return []
        found = self._client.search_logged_models([run.info.experiment_id], max_results=100)
        return [one for one in found if one.source_run_id == run.info.run_id]

    def _points(self, run: Any) -> List[_Point]:
        """Return the history of all metrics of a run, in order of time."""
        found: List[_Point] = []
        for name in sorted(run.data.metrics):
            history = self._client.get_metric_history(run.info.run_id, name)
            points = [(name, one.value, one.timestamp, one.step) for one in history]
            found += sorted(points, key=lambda one: (one[2], one[3]))
        if len(found) > MOST_POINTS:
            self._note(f"a run has more than {MOST_POINTS:,} metric points; the rest is left out")
        return found[:MOST_POINTS]

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.add(text)
            stage.note(text)

    def _follow(self) -> None:
        while not self._ended.wait(FOLLOW_S):
            with contextlib.suppress(Exception):  # the store is busy: at the next time
                self.report()


def _finite(metrics: Mapping[str, float]) -> Dict[str, float]:
    """Return the metrics that are numbers; a note names the others."""
    good = {name: value for name, value in metrics.items() if _is_finite(value)}
    if bad := sorted(metrics.keys() - good.keys()):
        stage.note(f"left out as not finite: {', '.join(bad)}")
    return good


def _plain(value: float) -> Any:
    """Return the value, or its name if JSON has no number for it."""
    if _is_finite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _is_finite(value: float) -> bool:
    """Return whether a logged value is a number; MLflow's database has the greatest number for infinity."""
    return abs(value) < sys.float_info.max


def _sqlite_uri(path: Path) -> str:
    """Return the URI by which SQLAlchemy opens exactly this file: see engine/mlflow/backend.py."""
    quoted = quote(str(path))
    scheme = "sqlite" if quoted == str(path) else "sqlite+pysqlite"
    return f"{scheme}:///{quoted}"


def _path(uri: Optional[str]) -> Optional[Path]:
    """Return the folder of artifacts; None if there is none, or if it is elsewhere."""
    parts = urlsplit(uri or "")
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri or "")
    return path if parts.scheme in ("", "file") and path.is_dir() else None


def _copy(source: Path, target: Path) -> None:
    """Copy a folder into another one, without links, which may lead anywhere."""
    for at, folders, names in os.walk(str(source)):
        here = target / Path(at).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        folders[:] = [name for name in folders if not (Path(at) / name).is_symlink()]
        for name in names:
            if not (Path(at) / name).is_symlink():
                shutil.copyfile(str(Path(at) / name), str(here / name))


def _write(path: Path, data: Dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
