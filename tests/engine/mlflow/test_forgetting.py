"""A person is removed from MLflow: artifacts, texts and bytes of the database; others stay."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine import run_files
from engine.forgetting.words import Words
from engine.mlflow import forgetting
from engine.mlflow.forgetting import DONE, TAG, Change
from engine.mlflow.sync import sync
from tests.mlflow_runs import database, make_folder, snapshot, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
TRACKING: dict[str, Any] = {"uri": None, "experiment": None, "enabled": True}
SPLIT, TRAIN = ("sha256:" + digit * 64 for digit in "01")  # what the stages of a run made


@pytest.fixture
def recorded(outputs: Path, events: Any, make_job: Any) -> Path:
    """The outputs folder of r1, whose data, note and figure are called Adele, and of r2."""
    for name in ("r1", "r2"):
        found = whole_run(events, make_job, name)
        if name == "r1":
            found[0]["assets"] = [
                {**found[0]["assets"][0], "path": "Adele/1.jpg", "digest": "file:a"}
            ]
            found[0]["params"] |= {"first": "Adele/1.jpg", "role": "Adele"}
            grid = {"caption": "Adele/1.jpg", "data": "iVBORw0KGgo="}
            figure = {"event": "figure", "stage": "train", "kind": "picture_grid", "name": "wrong"}
            at = next(n for n, one in enumerate(found) if one["event"] == "figure")
            found[at] = {**found[at], **figure, "pictures": [grid]}
        make_folder(outputs, found, name)
    (outputs / "demo/rpi4/r1/report.html").write_text("<p>Adele/1.jpg</p>")
    assert sync(outputs, TRACKING).sent == ["r1", "r2"]
    return outputs


def clean(outputs: Path, doomed: set[str], **runs: Any) -> int:
    words = Words("Adele")
    change = Change(
        doomed=doomed,
        rewritten={},
        has_name=words.are_in_bytes,
        without_name=words.replaced,
        without_pictures=words.of_pictures.replaced,
    )
    found = forgetting.database(outputs, TRACKING)
    assert found is not None
    return forgetting.clean(found, "demo", change, runs)


def mentions(outputs: Path) -> list[Path]:
    every = [outputs / "mlflow.db", *(outputs / "mlartifacts").rglob("*")]
    return [path for path in every if path.is_file() and b"Adele/" in path.read_bytes()]


def test_no_byte_of_a_pictures_name_is_left(recorded: Path) -> None:
    assert len(mentions(recorded)) > 3
    clean(recorded, set())
    assert mentions(recorded) == []


def test_records_with_the_name_are_tagged_and_others_are_not(recorded: Path) -> None:
    clean(recorded, set())
    tags = {run: about["tags"].get(TAG) for run, about in snapshot(database(recorded)).items()}
    assert tags["r1/"] == DONE and {tags["r2/"], tags["r2/train"]} == {None}


def test_the_rest_of_a_record_stays(recorded: Path) -> None:
    before = snapshot(database(recorded))
    clean(recorded, set())
    after = snapshot(database(recorded))
    assert after["r2/train"] == before["r2/train"]
    for key in ("points", "status", "times", "last"):
        assert after["r1/train"][key] == before["r1/train"][key]
    assert (
        after["r1/"]["params"]["p7"] == "7" and after["r1/"]["params"]["first"] == "[removed]/1.jpg"
    )


def test_a_parameter_whose_value_is_the_name_stays(recorded: Path) -> None:
    clean(recorded, set())
    assert snapshot(database(recorded))["r1/"]["params"]["role"] == "Adele"


def test_artifacts_are_removed_by_their_digest(recorded: Path) -> None:
    clean(recorded, {TRAIN})
    left = {run: about["files"] for run, about in snapshot(database(recorded)).items()}
    assert "out" in left["r1/split"] and "out" not in left["r1/train"] + left["r2/train"]


def test_a_run_whose_files_changed_is_sent_again(recorded: Path) -> None:
    run_dir = recorded / "demo/rpi4/r1"
    (run_dir / "report.html").write_text("<p>nobody</p>")
    clean(recorded, set(), r1=(run_dir, run_files.state(run_dir)))
    [page] = [
        path
        for path in (recorded / "mlartifacts").rglob("report.html")
        if "nobody" in path.read_text()
    ]
    assert (page.parent / "run/journal.jsonl").exists()


def test_a_repeated_removal_changes_nothing(recorded: Path) -> None:
    clean(recorded, {TRAIN})
    before = snapshot(database(recorded))
    clean(recorded, set())
    assert snapshot(database(recorded)) == before


def test_what_was_sent_is_listed_for_one_use_case(recorded: Path) -> None:
    found = forgetting.sent(recorded / "mlflow.db", "demo")
    assert {(one.run_id, one.stage, one.digest) for one in found} >= {("r1", "train", TRAIN)}
    assert all(one.path.exists() for one in found if one.stage != "package")
    assert forgetting.sent(recorded / "mlflow.db", "other") == []


def test_artifacts_elsewhere_are_left_alone(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/out").touch()
    with sqlite3.connect(recorded / "mlflow.db") as tables:
        tables.execute("UPDATE runs SET artifact_uri = ?", [(tmp_path / "elsewhere").as_uri()])
    tables.close()
    clean(recorded, {SPLIT, TRAIN})
    assert (tmp_path / "elsewhere/out").exists()
    assert forgetting.sent(recorded / "mlflow.db", "demo") == []


def test_another_database_is_left_alone(outputs: Path) -> None:
    elsewhere = {**TRACKING, "uri": "sqlite:////elsewhere/mlflow.db"}
    assert forgetting.database(outputs, elsewhere) is None
    assert forgetting.database(outputs, TRACKING) == outputs / "mlflow.db"


def test_the_tables_are_those_of_the_installed_mlflow(outputs: Path) -> None:
    with sqlite3.connect(outputs / "mlflow.db") as tables:
        for table, column, key in forgetting._TEXTS:
            tables.execute(f"SELECT {column}, {key} FROM {table}")
        for insert in forgetting._INSERTS.values():
            tables.execute(f"EXPLAIN {insert}", ["x"] * insert.count("?"))
