"""MLflow's files of runs that are gone go too; what a run that stays needs, and every record, stays."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow import cleanup
from engine.mlflow.cleanup import Freed
from engine.mlflow.sync import sync
from tests.mlflow_runs import database, make_folder, snapshot, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
TRACKING: dict[str, Any] = {"uri": None, "experiment": None}


@pytest.fixture
def recorded(outputs: Path, events: Any, make_job: Any) -> Path:
    """The outputs folder of r1 and r2, of which r2 links to the stage `split` of r1."""
    for name in ("r1", "r2"):
        make_folder(outputs, whole_run(events, make_job, name), name)
    assert sync(outputs, TRACKING).sent == ["r1", "r2"]
    return outputs


def files(outputs: Path) -> dict[str, list[str]]:
    return {run: about["files"] for run, about in snapshot(database(outputs)).items()}


def remove(outputs: Path, name: str) -> None:
    shutil.rmtree(outputs / "demo" / "rpi4" / name)


def test_the_files_of_a_run_that_is_gone_go(recorded: Path) -> None:
    remove(recorded, "r2")
    freed = cleanup.clean(recorded, TRACKING, dry_run=False)
    assert freed.folders == 2 and freed.size_bytes > 1000 and not freed.problem
    left = files(recorded)
    assert left["r2/"] == left["r2/train"] == []
    assert "out" in left["r1/train"] and left["r1/"]


def test_what_a_run_that_stays_links_to_stays(recorded: Path) -> None:
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    left = files(recorded)
    assert left["r1/split"] == ["out"] and left["r1/train"] == []


def test_what_a_project_logged_stays_as_long_as_its_stage(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    experiment = client.get_experiment_by_name("demo").experiment_id
    own = {}
    for stage in ("split", "train"):  # r2 links to the first
        wanted = f"tags.`rpi.run_id` = 'r1' AND tags.`rpi.stage` = '{stage}'"
        [run] = client.search_runs([experiment], wanted)
        tags = {"rpi.run_id": "r1", "rpi.stage": stage, "rpi.project_of": run.info.run_id}
        own[stage] = client.create_run(experiment, tags=tags).info.run_id
        client.log_text(own[stage], "logged", "note.txt")
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert [one.path for one in client.list_artifacts(own["split"])] == ["note.txt"]
    assert client.list_artifacts(own["train"]) == []


def test_the_records_stay_and_the_run_is_not_sent_again(recorded: Path) -> None:
    before = {run: about["last"] for run, about in snapshot(database(recorded)).items()}
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert {run: about["last"] for run, about in snapshot(database(recorded)).items()} == before
    assert sync(recorded, TRACKING).sent == []


def test_the_files_of_a_run_that_was_deleted_in_mlflow_go(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    experiment = client.get_experiment_by_name("demo").experiment_id
    for run in client.search_runs([experiment], "tags.`rpi.run_id` = 'r1'"):
        client.delete_run(run.info.run_id)
    assert cleanup.clean(recorded, TRACKING, dry_run=False).folders == 3
    assert "out" in files(recorded)["r2/train"]


def test_a_dry_run_says_the_same_and_removes_nothing(recorded: Path) -> None:
    before = files(recorded)
    dry = cleanup.clean(recorded, TRACKING, ["r2"], dry_run=True)
    assert files(recorded) == before
    assert cleanup.clean(recorded, TRACKING, ["r2"], dry_run=False) == dry
    assert cleanup.clean(recorded, TRACKING, ["r2"], dry_run=False) == Freed()


def test_a_users_own_runs_are_not_touched(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    own = client.create_run(client.get_experiment_by_name("demo").experiment_id)
    client.log_text(own.info.run_id, "mine", "note.txt")
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert [one.path for one in client.list_artifacts(own.info.run_id)] == ["note.txt"]


def test_a_registered_model_keeps_the_files_of_its_run(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    experiment = client.get_experiment_by_name("demo").experiment_id
    mine = "tags.`rpi.run_id` = 'r1' and tags.`rpi.stage` = 'train'"
    (run,) = client.search_runs([experiment], mine)
    client.create_registered_model("best")
    client.create_model_version("best", f"{run.info.artifact_uri}/out", run.info.run_id)
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert "out" in files(recorded)["r1/train"]


def test_a_model_goes_with_its_run(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    experiment = client.get_experiment_by_name("demo").experiment_id
    (run,) = client.search_runs(
        [experiment], "tags.`rpi.run_id` = 'r1' and tags.`rpi.stage` = 'train'"
    )
    made = client.create_logged_model(experiment, "m", run.info.run_id)
    (recorded / "x").write_text("model")
    client.log_model_artifact(made.model_id, str(recorded / "x"))
    assert list(recorded.glob(f"mlartifacts/demo/models/{made.model_id}/artifacts/x"))
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert not list(recorded.glob(f"mlartifacts/demo/models/{made.model_id}"))


def test_a_model_stays_while_a_run_links_to_the_stage_that_made_it(recorded: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(recorded), registry_uri=database(recorded))
    experiment = client.get_experiment_by_name("demo").experiment_id
    runs = client.search_runs([experiment], "tags.`rpi.run_id` = 'r1'")
    by_stage = {run.data.tags.get("rpi.stage"): run.info.run_id for run in runs}
    (recorded / "x").write_text("model")
    made = {}
    for stage in ("split", "train"):  # r2 links to r1's split
        tags = {"rpi.source_run_id": by_stage[stage]}
        one = client.create_logged_model(experiment, "m", by_stage[None], tags=tags)
        client.log_model_artifact(one.model_id, str(recorded / "x"))
        made[stage] = recorded / f"mlartifacts/demo/models/{one.model_id}"
    remove(recorded, "r1")
    cleanup.clean(recorded, TRACKING, dry_run=False)
    assert made["split"].exists() and not made["train"].exists()


def test_a_file_with_another_name_frees_nothing(recorded: Path) -> None:
    (out,) = [
        path
        for path in recorded.glob("mlartifacts/demo/*/artifacts/out")
        if "train" in path.read_text()
    ][:1]
    before = cleanup.clean(recorded, TRACKING, ["r1", "r2"], dry_run=True).size_bytes
    os.link(out, recorded / "other")
    after = cleanup.clean(recorded, TRACKING, ["r1", "r2"], dry_run=True).size_bytes
    assert before - after == len("made by train")


def test_another_database_is_left_alone(recorded: Path) -> None:
    remove(recorded, "r1")
    elsewhere = {"uri": f"sqlite:///{recorded.parent}/elsewhere.db"}
    assert cleanup.clean(recorded, elsewhere, dry_run=False) == Freed()
    assert cleanup.clean(recorded, {"uri": "http://127.0.0.1:9"}, dry_run=False) == Freed()


def test_a_database_that_cannot_be_read_is_named(recorded: Path) -> None:
    (recorded / "mlflow.db").write_bytes(b"no database" * 1000)
    assert (
        "the database cannot be read: " in cleanup.clean(recorded, TRACKING, dry_run=False).problem
    )


def test_where_nothing_was_recorded_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert cleanup.clean(tmp_path, TRACKING, dry_run=False) == Freed()


def test_an_address_outside_the_folder_of_artifacts_is_left_alone(recorded: Path) -> None:
    import sqlite3

    (recorded / "mine").mkdir()
    with sqlite3.connect(recorded / "mlflow.db") as connection:
        runs = connection.execute("select run_uuid from runs").fetchall()
        for (run,) in runs:
            (recorded / "mine" / run / "artifacts").mkdir(parents=True)
            uri = (recorded / "mine" / run / "artifacts").as_uri()
            connection.execute("update runs set artifact_uri = ? where run_uuid = ?", (uri, run))
    connection.close()
    remove(recorded, "r1")
    assert cleanup.clean(recorded, TRACKING, dry_run=False) == Freed()
