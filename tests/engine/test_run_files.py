"""The content of a run's files: run.json for scripts and lists of runs, the journal for everything else."""

import json
import os

import pytest

from engine import run_files
from engine.events import replay
from engine.journal import FILE_NAME, Journal
from engine.run_files import RunSummary, StageSummary
from tests.run_events import EventBuilder, job

A_RUN = EventBuilder().start([job("a")], usecase="u", target="t", params={"n": 1})
STARTED, CACHED = A_RUN.cached(
    "a", outputs={"data": "file:1"}, metrics={"acc": 0.5}, seconds=9.0
).events


@pytest.fixture
def folder(tmp_path):
    """The folder of a finished run, without its run.json."""
    with Journal(tmp_path / FILE_NAME) as journal:
        journal.append(
            STARTED, CACHED, {"event": "run_finished", "status": "finished", "seconds": 1.5}
        )
    return tmp_path


def test_run_json_says_what_scripts_read(folder):
    run_files.write_contract(folder, run_files.state(folder))
    found = json.loads((folder / "run.json").read_text())
    assert (found["v"], found["status"], found["seconds"], found["usecase"], found["params"]) == (
        1,
        "finished",
        1.5,
        "u",
        {"n": 1},
    )
    assert found["stages"]["a"] == {
        "state": "finished",
        "cached": True,
        "seconds": 9.0,
        "platform": "linux/amd64",
        "emulated": False,
        "measured_on": "x86_64",
        "fingerprint": "f" * 64,
        "attempt": 0,
        "outputs": {"data": "file:1"},
        "gates": [],
    }


def test_metrics_json_is_flat(folder):
    run_files.write_contract(folder, run_files.state(folder))
    assert json.loads((folder / "metrics.json").read_text()) == {"a.acc": 0.5}


# --- what a list of runs needs

STAGE = StageSummary(
    state="finished", cached=True, fingerprint="f" * 64, outputs={"data": "file:1"}
)
FINISHED = RunSummary("finished", {"a": STAGE})


def _write_as_if_before(folder, journal: bytes) -> None:
    """Change the journal, and reset its time as if it were unchanged since run.json was written."""
    (folder / FILE_NAME).write_bytes(journal)
    os.utime(folder / FILE_NAME, (0, 0))


def test_a_finished_run_is_summarised_from_run_json_alone(folder):
    run_files.write_contract(folder, run_files.state(folder))
    _write_as_if_before(folder, b'not read\n{"event": "run_finished"}\n')
    assert run_files.summary(folder) == FINISHED


def test_a_run_whose_engine_was_killed_before_its_last_event_is_not_over(tmp_path):
    with Journal(tmp_path / FILE_NAME) as journal:
        journal.append(STARTED, CACHED)
    over = replay(
        [{"event": "run_finished", "status": "finished", "seconds": 1.0, "time": 2.0}],
        run_files.state(tmp_path),
    )
    run_files.write_contract(tmp_path, over)
    assert run_files.summary(tmp_path).status == "running"


def test_without_run_json_the_journal_is_summarised(folder):
    assert run_files.summary(folder) == FINISHED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"status": "finished"}',
        '{"status": "odd", "stages": {}}',
        "[" * 99_999,
    ],
    ids=["empty", "torn", "list", "bare", "no stages", "no such status", "deep"],
)
def test_a_damaged_run_json_is_not_believed(folder, text):
    (folder / "run.json").write_text(text)
    assert run_files.summary(folder) == FINISHED


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_a_run_json_that_is_no_file_is_not_read(folder, make):
    make(folder / "run.json")
    assert run_files.summary(folder) == FINISHED


def test_a_run_json_is_not_believed_if_the_journal_changed_after_it(folder):
    run_files.write_contract(folder, run_files.state(folder))
    os.utime(folder / "run.json", (0, 0))
    with Journal(folder / FILE_NAME) as journal:
        journal.append({"event": "run_finished", "status": "interrupted", "seconds": None})
    assert run_files.summary(folder).status == "interrupted"


def test_a_run_json_of_a_run_that_is_not_over_is_not_believed(folder):
    run_files.write_contract(folder, run_files.state(folder))
    text = (folder / "run.json").read_text().replace('"status": "finished"', '"status": "running"')
    (folder / "run.json").write_text(text)
    assert run_files.summary(folder) == FINISHED


def test_the_summary_of_a_damaged_journal_says_so(folder):
    (folder / FILE_NAME).write_bytes(b"x\n")
    assert "line 1 is not an event" in run_files.summary(folder).damage
