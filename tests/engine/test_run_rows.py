"""Runs as rows: what is read of each, conditions, order."""

import json
import os

import pytest

from engine import layout, run_annotations, run_files, run_rows
from engine.errors import UserError
from engine.journal import FILE_NAME, Journal
from tests.run_events import EventBuilder, job


@pytest.fixture
def run(tmp_path):
    """Make the folder of a run that ended with this accuracy."""

    def make(run_id: str, accuracy: float | None = 0.9, status: str = "finished", **more):
        folder = tmp_path / "u" / "t" / run_id
        folder.mkdir(parents=True)
        builder = EventBuilder().start([job("train")], run_id=run_id, name=f"n-{run_id}", **more)
        ends = {} if accuracy is None else {"accuracy_low": 0.8, "accuracy_high": 0.95}
        metrics = {} if accuracy is None else {"accuracy": accuracy, **ends}
        builder.started("train").finished("train", **metrics)
        gate = {"stage": "train", "metric": "accuracy", "rule": ">= 0.5", "value": accuracy}
        builder.add("gate", **gate, passed=True).done(status)
        with Journal(folder / FILE_NAME) as journal:
            journal.append(*builder.events)
        run_files.write_contract(folder, run_files.state(folder))
        run_files.seal(folder)
        return folder

    return make


@pytest.fixture
def rows(tmp_path):
    """Read the rows again, by id."""
    return lambda: {row.run_dir.name: row for row in run_rows.every(tmp_path)}


def test_a_row_says_what_ran_and_how_it_ended(run, rows):
    run("1", params={"epochs": 3})
    found = rows()["1"]
    assert (found.name, found.usecase, found.target, found.status) == (
        "n-1",
        "demo",
        "rpi4",
        "finished",
    )
    assert (found.value, found.interval, found.gates) == (0.9, (0.8, 0.95), [True])
    assert (found.seconds, found.params) == (42.0, {"epochs": 3})


def test_the_journal_and_the_files_give_the_same_row(run, rows):
    folder = run("1")
    from_files = rows()["1"]
    (folder / "run.json").unlink()
    assert rows()["1"] == from_files


def test_a_run_json_of_an_earlier_version_lacks_the_objective(run, rows):
    folder = run("1")
    about = json.loads((folder / "run.json").read_text())
    del about["objective"], about["name"]
    (folder / "run.json").write_text(json.dumps(about))
    assert (rows()["1"].objective, rows()["1"].name) == ("train.accuracy", "")


@pytest.mark.parametrize("text", ["", "[]", '{"status": 1}'])
def test_a_damaged_run_json_is_replaced_by_the_journal(run, rows, text):
    folder = run("1")
    (folder / "run.json").write_text(text)
    assert rows()["1"].value == 0.9


def test_a_run_whose_engine_was_killed_says_so(run, rows):
    folder = run("1")
    lines = (folder / FILE_NAME).read_text().splitlines(keepends=True)
    (folder / FILE_NAME).write_text("".join(lines[:-1]))
    assert rows()["1"].status == run_rows.KILLED


def test_a_damaged_journal_says_so_and_an_empty_one_is_no_run(run, rows):
    folder = run("1")
    (run("2") / FILE_NAME).write_text("")
    text = (folder / FILE_NAME).read_text().splitlines(keepends=True)
    (folder / FILE_NAME).write_text(text[0] + "{}\n" + "".join(text[2:]))
    os.utime(folder / FILE_NAME, (2e9, 2e9))  # newer than run.json
    assert {key: row.status for key, row in rows().items()} == {"1": run_rows.DAMAGED}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("train.accuracy>0.8", True),
        ("train.accuracy > 0.9", False),
        ("train.accuracy>=0.9 and params.epochs=3", True),
        ("train.accuracy>=0.9 and params.epochs!=3", False),
        ("params.method=cnn", True),
        ("params.method!=lstm", True),
        ("params.method=3", False),
        ("params.method='cnn'", True),
        ('params.code="007"', True),
        ("params.flip=true", True),
        ("params.flip!=True", False),
        ("params.none=3", False),
        ("seconds<43", True),
        ("objective==0.9", True),
        ("", True),
    ],
)
def test_a_condition_refers_to_metrics_parameters_and_facts(run, rows, text, holds):
    run("1", params={"epochs": 3, "method": "cnn", "code": "007", "flip": True})
    assert all(one.holds(rows()["1"]) for one in run_rows.conditions(text)) is holds


@pytest.mark.parametrize(
    "text", ["accuracy", "a>", ">1", "a>1 and", "a~1", "a=>1", "params.method>cnn"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(UserError, match="where="):
        run_rows.conditions(text)


def test_a_key_that_no_run_has_is_refused_with_the_nearest(run, rows):
    run("1")
    with pytest.raises(UserError, match=r"did you mean 'train.accuracy'"):
        run_rows.check_known("where", ["train.acuracy"], list(rows().values()))
    run_rows.check_known("where", ["anything"], [])


def test_runs_are_ordered_by_a_value_and_those_without_it_are_last(run, rows):
    run("1", 0.7), run("2", None), run("3", 0.9), run("4", 0.8)
    found = list(rows().values())
    ascending = [row.run_dir.name for row in run_rows.ordered(found, "objective")]
    assert ascending == ["1", "4", "3", "2"]
    descending = [row.run_dir.name for row in run_rows.ordered(found, "-train.accuracy")]
    assert descending == ["3", "4", "1", "2"]


def test_a_run_is_found_by_its_tags(run, rows):
    run_annotations.add_tags(run("1"), {"owner": "ann"})
    found = rows()["1"]
    wanted = [["owner"], ["owner=ann"], [], ["owner=bob"], ["owner", "q"]]
    assert [run_rows.has_tags(found, one) for one in wanted] == [True, True, True, False, False]


def test_without_an_outputs_folder_there_are_no_rows(tmp_path):
    assert run_rows.every(tmp_path / "none") == []
    assert layout.runs(tmp_path / "none") == []
