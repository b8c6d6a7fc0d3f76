"""The import of a project's runs into a real MLflow, whatever call fails."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow import project
from engine.mlflow.entries import Entry
from tests.mlflow_runs import database, files

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Failing:
    """A client whose n-th call fails, as if the sender had been killed before it."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client, self._left = client, calls

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **keys: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise ConnectionError("killed")
            return getattr(self._client, name)(*arguments, **keys)

        return call


@pytest.fixture
def client(outputs):
    from mlflow.tracking import MlflowClient

    return MlflowClient(database(outputs))


def _output(folder: Path) -> Path:
    """The output of a project with one nested run, which has another one below it."""
    for at, parent in (("", 0), ("nested/001", 0), ("nested/002", 1)):
        own = folder / "mlflow_run" / at
        (own / "artifacts" / "notes").mkdir(parents=True)
        (own / "artifacts" / "notes" / "a.txt").write_text(at)
        about = {
            "v": 1,
            "name": at or "main",
            "parent": parent,
            "status": "FINISHED",
            "start_ms": 1_700_000_000_000,
            "end_ms": 1_700_000_001_000,
            "params": {"rate": "0.1", "long": "x" * 7000, "at": "http://ann:secret@host"},
            "tags": {"colour": "red", "mlflow.runName": at or "main"},
            "points": [["loss", 0.5, 1_700_000_000_100, 0], ["loss", "nan", 1_700_000_000_200, 1]],
        }
        (own / "run.json").write_text(json.dumps(about))
    return folder / "mlflow_run"


def _send(client: Any, mlflow_id: str, path: Path) -> None:
    def log(run: str, entry: Entry) -> None:
        from mlflow.entities import Metric, Param, RunTag

        client.log_batch(
            run,
            [Metric(*point) for point in entry.points],
            [Param(*one) for one in entry.params.items()],
            [RunTag(*one) for one in entry.tags.items()],
        )

    stage = project.Stage(
        mlflow_id=mlflow_id,
        experiment="0",
        tags={"rpi.run_id": "r1", "rpi.stage": "s"},
        digest="tree:" + "a" * 64,
        max_bytes=1_000_000,
    )
    logged = project.read(path.name, path)
    assert logged
    project.send(client, stage, logged, log, lambda uri: None)


def _recorded(client: Any) -> dict[str, Any]:
    """Every run that was imported, by its name."""
    runs = client.search_runs(["0"])
    names = {run.info.run_id: run.info.run_name for run in runs}
    assert len(set(names.values())) == len(names), "recorded twice"
    return {
        run.info.run_name: (
            names.get(run.data.tags.get("mlflow.parentRunId")),
            run.info.status,
            (run.info.start_time, run.info.end_time),
            run.data.params.get("rate"),
            [p.step for p in client.get_metric_history(run.info.run_id, "loss")],
            sorted(files(client, run.info.run_id)),
            run.data.tags.get("colour"),
        )
        for run in runs
    }


def test_what_failed_half_way_is_completed_and_nothing_is_doubled(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MLflow's default for artifacts
    path = _output(tmp_path)
    own = client.create_run("0", run_name="s").info.run_id
    calls = 0
    while True:
        try:
            _send(Failing(client, calls), own, path)
            break
        except ConnectionError:
            calls += 1
    found = _recorded(client)
    times = (1_700_000_000_000, 1_700_000_001_000)
    rest = (times, "0.1", [0, 1], ["notes/a.txt"], "red")
    del found["s"]
    assert found == {
        "main": ("s", "FINISHED", *rest),
        "nested/001": ("main", "FINISHED", *rest),
        "nested/002": ("nested/001", "FINISHED", *rest),
    }
    _send(client, own, path)
    assert len(_recorded(client)) == 4 and calls > 10


def test_long_and_secret_values_are_cut_and_hidden(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = client.create_run("0", run_name="s").info.run_id
    _send(client, own, _output(tmp_path))
    [run] = [one for one in client.search_runs(["0"]) if one.info.run_name == "main"]
    assert len(run.data.params["long"]) <= 6000 and "secret" not in run.data.params["at"]


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"status": "ODD"},
        {"points": [["a", "x", 0, 0]]},
        {"params": {"a": 1}},
        {"parent": -1},
    ],
)
def test_an_output_of_another_form_is_not_taken_for_runs(tmp_path, change):
    path = _output(tmp_path) / "nested" / "001" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert project.read("mlflow_run", path.parents[2]) is None
    assert project.read("model", path.parents[2]) is None


def test_a_run_that_the_project_left_open_is_ended(tmp_path):
    path = _output(tmp_path) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "RUNNING"}))
    logged = project.read("mlflow_run", path.parent)
    assert logged and logged[0][1].end == ("KILLED", 1_700_000_001_000)


def test_an_output_without_runs_is_not_imported(client, tmp_path):
    (tmp_path / "mlflow_run").mkdir()
    (tmp_path / "mlflow_run" / "run.json").write_text('{"v": 1, "status": ""}')
    own = client.create_run("0", run_name="s").info.run_id
    _send(client, own, tmp_path / "mlflow_run")
    assert _recorded(client).keys() == {"s"}
