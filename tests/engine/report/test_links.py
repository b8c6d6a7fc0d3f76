"""Links of the report lead to files of the run's folder, and nowhere else."""

import pytest

from engine.events import StageState
from engine.report import links


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/tr ain.log").touch()
    (tmp_path / "artifacts/train").mkdir(parents=True)
    (tmp_path / "artifacts/train/model.json").touch()
    return tmp_path


def test_outputs_and_log_of_a_stage_are_linked(run_dir):
    stage = StageState("train", outputs={"model": "x", "gone": "y"}, log="logs/tr ain.log")
    assert list(links._of_stage(run_dir, stage)) == [
        ("model.json", "artifacts/train/model.json"),
        ("log", "logs/tr%20ain.log"),
    ]


def test_a_log_that_earlier_versions_named_by_its_whole_path_is_linked(run_dir):
    stage = StageState("train", log=str(run_dir / "logs/tr ain.log"))
    assert links.of_log(run_dir, stage) == "logs/tr%20ain.log"


@pytest.mark.parametrize(
    "log", ["javascript:alert(1)", "../secret", "/etc/passwd", "logs/none.log", ".", ""]
)
def test_nothing_else_is_linked(run_dir, log):
    (run_dir.parent / "secret").touch()
    assert links.of_log(run_dir, StageState("train", log=log)) == ""


def test_the_files_of_the_run_are_those_that_are_there(run_dir):
    (run_dir / "run.json").touch()
    assert [words for words, _ in links.of_run(run_dir)] == ["run.json", "artifacts", "logs"]
