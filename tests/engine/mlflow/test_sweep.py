"""A sweep in MLflow: one run, whose children are the runs of its jobs."""

import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow import sweep as mlflow_sweep
from engine.mlflow.sync import sync
from engine.sweeps import record
from engine.sweeps.record import Asked, End
from tests.mlflow_runs import database, make_folder, until

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
UP = {"train.accuracy": "maximise"}


@pytest.fixture
def swept(outputs: Path, events: Any, make_job: Any) -> Any:
    """Write a sweep of two jobs, with their runs, below outputs; return its folder."""
    asked = Asked(command=("run.py", "-m", "params.n=1,2"), folder="/", started=1.8e9)
    asked = asked.model_copy(update={"keys": ("params.n",), "count": 2})
    folder = record.create(outputs / "sweeps", asked)
    for number, (status, value) in enumerate((("finished", 0.7), ("rejected", 0.9)), 1):
        events.events = []
        about = {"id": folder.name, "job": number, "jobs": 2, "changes": [f"params.n={number}"]}
        events.start([make_job("train")], run_id=f"r{number}", sweep=about, objectives=UP)
        events.started("train").finished("train", accuracy=value)
        make_folder(outputs, events.done(status).events, f"r{number}")
        record.append(folder, number, began=1.8e9, changes=about["changes"])
        facts = {"status": status, "directions": UP, "values": {"train.accuracy": value}}
        facts |= {"run": f"demo/rpi4/r{number}", "command": ["run.py", f"params.n={number}"]}
        record.append(folder, number, ended=1.8e9 + number, exit=number - 1, **facts)
    return folder


def runs(outputs: Path) -> tuple[Any, dict[str, Any]]:
    """The run of the sweep, and those of its jobs by run id."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(outputs))
    found = client.search_runs([client.get_experiment_by_name("demo").experiment_id])
    (own,) = (one for one in found if "rpi.sweep" in one.data.tags)
    jobs = {one.data.tags["rpi.run_id"]: one for one in found if "rpi.sweep_id" in one.data.tags}
    return own, jobs


def test_the_jobs_are_children_of_the_sweep(swept, outputs):
    record.finish(swept, End(ended=1.8e9 + 9, status=1, best=1))
    assert not sync(outputs, {}).problems
    own, jobs = runs(outputs)
    assert own.info.run_name == "sweep of n on rpi4 (demo)"
    assert {one.data.tags["mlflow.parentRunId"] for one in jobs.values()} == {own.info.run_id}
    assert jobs["r2"].data.tags["rpi.sweep_job"] == "2 of 2"
    assert (own.info.status, own.info.end_time) == ("FINISHED", 1_800_000_009_000)
    assert own.data.tags["rpi.best_run"] == "r1" and own.data.metrics == {"train.accuracy": 0.7}


def test_its_page_has_the_table_of_the_jobs_and_links_to_them(swept, outputs):
    record.finish(swept, End(ended=1.8e9 + 9, status=1, best=1))
    sync(outputs, {})
    own, jobs = runs(outputs)
    text = own.data.tags["mlflow.note.content"]
    assert "**Best: job 1** (n=1)" in text and "python run.py params.n=1" in text
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert [row.split("|")[2:5] for row in rows] == [
        [" 1 ", " 0.7 ", " finished "],
        [" 2 ", " 0.9 ", " rejected "],
    ]
    assert jobs["r1"].info.run_id in rows[0] and jobs["r2"].info.run_id in rows[1]


def test_an_interrupted_sweep_is_killed_and_sending_it_again_changes_nothing(swept, outputs):
    sync(outputs, {})
    assert runs(outputs)[0].info.status == "KILLED"
    for path in outputs.glob("demo/rpi4/*/mlflow.json"):
        path.unlink()
    sync(outputs, {})
    own, jobs = runs(outputs)
    assert (own.info.status, len(jobs)) == ("KILLED", 2)


def test_without_its_record_the_jobs_still_have_their_parent(swept, outputs):
    (swept / record.SWEEP_FILE).unlink()
    assert not sync(outputs, {}).problems
    own, jobs = runs(outputs)
    assert len(jobs) == 2 and "mlflow.note.content" not in own.data.tags


def test_at_the_end_of_the_sweep_the_sender_describes_it_once_more(swept, outputs):
    sync(outputs, {})
    record.finish(swept, End(ended=time.time(), status=1, best=1))
    (swept / "report.html").write_text("the page")
    mlflow_sweep.request(swept, outputs, {"enabled": True})
    until(lambda: runs(outputs)[0].info.status == "FINISHED", 120)
    from mlflow.tracking import MlflowClient

    own, _ = runs(outputs)
    found = MlflowClient(database(outputs)).list_artifacts(own.info.run_id)
    assert [one.path for one in found] == ["report.html"]


def test_without_tracking_nothing_is_requested(swept, outputs):
    mlflow_sweep.request(swept, outputs, {"enabled": False})
    assert not (outputs / ".engine" / "mlflow").exists()


def test_a_folder_of_a_run_is_no_sweep(swept, outputs):
    assert mlflow_sweep.last_run(swept).name == "r2"
    assert mlflow_sweep.last_run(outputs / "demo" / "rpi4" / "r2") is None
