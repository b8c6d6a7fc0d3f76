"""The record of a sweep without a name: it stays readable."""

import pytest

from engine.forgetting import sweep_texts
from engine.forgetting.words import REMOVED, Words
from engine.report import sweep as report
from engine.sweeps import record
from engine.sweeps.record import Asked

WORDS = Words("ann", ["joann ann"])


@pytest.fixture
def folder(tmp_path):
    """A sweep over two lists of pictures, of which one job failed."""
    command = ("run.py", "usecase=faces", "assets.probe=[ann/1.jpg],[bob/1.jpg]")
    asked = Asked(command=command, folder="/", started=1.8e9, keys=("assets.probe",), count=2)
    made = record.create(tmp_path / "sweeps", asked)
    changes = ["assets.probe=[ann/1.jpg]"]
    record.append(made, 1, began=1.0, changes=changes, run="faces/x86_64/1", command=changes)
    record.append(made, 1, ended=2.0, exit=1, message="train: no face in: ann, bob")
    report.write(record.read(made, "ended"))
    return made


def test_commands_changes_messages_and_the_report_have_the_name_no_longer(folder):
    assert sweep_texts.clean(record.read(folder), WORDS)
    found = record.read(folder)
    facts = found.jobs[0].facts
    assert found.asked.command[2] == f"assets.probe=[{REMOVED}/1.jpg],[bob/1.jpg]"
    assert facts.changes == facts.command == (f"assets.probe=[{REMOVED}/1.jpg]",)
    assert facts.message == f"train: no face in: {REMOVED}, bob"
    assert not WORDS.are_in((folder / "report.html").read_text())


def test_a_sweep_without_the_name_stays_as_it_is(folder):
    assert not sweep_texts.clean(record.read(folder), Words("eve"))


def test_sweeps_with_runs_of_other_use_cases_only_are_left_alone(folder):
    outputs = folder.parents[1]
    assert [one.path for one in sweep_texts.of_usecase(outputs, "faces")] == [folder]
    assert sweep_texts.of_usecase(outputs, "chain") == []
