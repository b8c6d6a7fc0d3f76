"""What is added to a run reaches its report and MLflow: at once, or when MLflow is back."""

import os
import sqlite3
import time

import pytest

from engine import annotate, layout, run_annotations
from engine.mlflow.queue import FOLDER, Queue
from tests.mlflow_runs import database, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # warnings of MLflow and its dependencies
]
MLFLOW = "tracking=mlflow"


@pytest.fixture
def recorded(project):
    """A project with a run in MLflow."""
    pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")
    project.done(MLFLOW, "name=mine")
    assert project.run("sync", MLFLOW).returncode == 0
    queues = layout.store_dir(project.outputs) / FOLDER
    senders = [Queue(project.outputs, one.name) for one in queues.glob("*") if one.is_dir()]
    until(lambda: not any(one.has_sender() for one in senders), 120)  # it would send what is added
    return project


def _parent(project):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(project.outputs))
    experiment = client.get_experiment_by_name("chain")
    [run] = client.search_runs([experiment.experiment_id], "tags.`rpi.name` = 'mine'")
    return run


def _tags(project):
    return _parent(project).data.tags


def test_the_name_the_tags_and_the_notes_of_a_run_are_in_mlflow(recorded):
    assert _parent(recorded).info.run_name == "mine on x86_64 (chain)"
    assert recorded.run("tag", "mine", "owner=ann", "q=1", MLFLOW).returncode == 0
    assert recorded.run("note", "mine", "too slow", MLFLOW).returncode == 0
    until(lambda: "too slow" in _tags(recorded).get("mlflow.note.content", ""), 120)
    assert _tags(recorded)["owner"] == "ann"
    assert recorded.run("tag", "mine", "q=", MLFLOW).returncode == 0
    until(lambda: "q" not in _tags(recorded), 120)


def test_what_mlflow_missed_is_sent_by_sync_exactly_once(recorded):
    run_annotations.add_tags(recorded.last, {"owner": "ann"})  # as if no sender could be started
    assert recorded.run("sync", MLFLOW).stdout == "1 sent\n"
    assert _tags(recorded)["owner"] == "ann"
    assert recorded.run("sync", MLFLOW).stdout == "1 already complete\n"


def test_an_mlflow_that_is_away_delays_nothing_and_gets_it_later(recorded):
    with sqlite3.connect(recorded.outputs / "mlflow.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        assert recorded.run("tag", "mine", "owner=ann", MLFLOW).returncode == 0
        assert run_annotations.read(recorded.last).tags == {"owner": "ann"}
        other.rollback()
    until(lambda: recorded.run("sync", MLFLOW).stdout.startswith("1 "), 120)
    assert _tags(recorded)["owner"] == "ann"


def test_a_run_that_is_not_recorded_is_not_sent(project):
    project.done()
    run_annotations.add_note(project.last, "hello")
    tracking = {"enabled": True, "uri": None, "experiment": None, "artifact_max_bytes": 0}
    annotate.show(project.outputs, tracking, project.last)
    assert not (project.outputs / "mlflow.db").exists()
    assert "hello" in (project.last / "report.html").read_text()


def test_the_pages_of_a_run_at_work_are_left_to_its_end(project):
    project.done()
    (project.last / "report.html").write_text("old")
    os.utime(project.last / "journal.jsonl", (time.time() + 9, time.time() + 9))  # more may follow
    annotate.show(project.outputs, {"enabled": False}, project.last)
    assert (project.last / "report.html").read_text() == "old"
