"""Reports below the data root, which may contain anything."""

import json

import pytest

from engine.kubeflow import names
from engine.kubeflow.data import DataRoot
from engine.kubeflow.reports import Reports

KEY = "ab" * 32
WHOLE = {
    "version": 1,
    "key": KEY,
    "status": 0,
    "outputs": {"data": {"digest": "file:0", "uri": "u"}},
}


@pytest.fixture
def reports(tmp_path):
    def made(*, is_folder: bool) -> Reports:
        root = DataRoot(str(tmp_path), lambda *_: None)
        return Reports(root, "u-pi", {"a": KEY}, is_folder)

    return made


def _write(tmp_path, run: str, report: object, salt: str = "s") -> None:
    path = tmp_path / "pipelines" / "u-pi" / run / "a" / salt / names.report_of(KEY)
    path.parent.mkdir(parents=True)
    path.write_text(report if isinstance(report, str) else json.dumps(report))


def test_a_report_is_found_in_the_run_that_wrote_it(reports, tmp_path):
    _write(tmp_path, "r1", WHOLE)
    found = reports(is_folder=False)
    assert found.find("a", "r1").is_success and found.find("a").is_success
    assert found.find("a", "r2") is None


def test_a_success_comes_before_failures(reports, tmp_path):
    _write(tmp_path, "r1", {**WHOLE, "status": 1})
    _write(tmp_path, "r2", WHOLE)
    assert reports(is_folder=False).find("a").is_success
    assert not reports(is_folder=False).find("a", "r1").is_success


@pytest.mark.parametrize(
    "report",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        {**WHOLE, "version": 2},
        {**WHOLE, "key": "cd" * 32},
        {**WHOLE, "seconds": -1},
        {**WHOLE, "outputs": {"data": "x"}},
        {**WHOLE, "events": [1]},
    ],
    ids=range(9),
)
def test_what_is_not_the_report_of_this_task_is_ignored(reports, tmp_path, report):
    _write(tmp_path, "r1", report)
    assert reports(is_folder=False).find("a") is None


def test_in_a_shared_folder_the_outputs_are_beside_the_report(reports, tmp_path):
    folder = tmp_path / "results" / KEY
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(WHOLE))
    found = reports(is_folder=True).find("a")
    assert found.outputs["data"].uri == f"{folder}/data"


def test_the_log_that_the_launcher_stored_is_found(reports, tmp_path):
    path = tmp_path / "pipelines" / "u-pi" / "r1" / "a" / "s" / "executor-logs"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"words \xff")
    assert reports(is_folder=False).log("a", "r1") == "words \ufffd"
    assert reports(is_folder=False).log("b", "r1") is None
