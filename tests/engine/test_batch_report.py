"""What is printed while a folder is processed."""

import io
import json
from pathlib import Path

import pytest

from engine import batch_report
from engine.batch import Answered, Skipped
from engine.batch_report import Report
from engine.store import Record


@pytest.fixture
def streams():
    """Standard output and standard error."""
    return io.StringIO(), io.StringIO()


def answered(folder: Path, *sources: str, notes=(), **metrics: float) -> Answered:
    folder.mkdir()
    lines = [json.dumps({"source": source}) for source in sources]
    (folder / "predictions.jsonl").write_text("".join(f"{line}\n" for line in lines))
    record = Record("f", "s", {}, {}, metrics, [], [], list(notes), 1.0, "linux/amd64", False, "")
    return Answered(sources, record, {"result": folder}, False)


def test_progress_is_told_from_time_to_time_with_the_time_left(streams, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(batch_report.time, "time", lambda: now[0])
    report = Report("jsonl", None, *streams)
    report.begin(1000, 0)
    for at_s, done in ((1, 10), (5, 100), (11, 210), (12, 230), (21, 410)):
        now[0] = at_s
        report.hear(done, 1000, "a.jpg")
    assert streams[1].getvalue().splitlines() == [
        "210 of 1,000 files, 40 s left",
        "410 of 1,000 files, 30 s left",
    ]


def test_a_note_is_told_once_and_inputs_and_skipped_files_are_counted(streams, tmp_path):
    report = Report("jsonl", None, *streams)
    report.begin(6, 2)
    for name in ("a", "b"):
        report.show(answered(tmp_path / name, name, notes=["on the CPU"], inputs=2.0, skipped=1.0))
    report.show(Skipped("two\nlines.jpg", "it was ended by signal 11"))
    assert report.end() == 0
    assert streams[1].getvalue().splitlines() == [
        "2 of 6 files were processed earlier",
        "note: on the CPU",
        "note: two\N{REPLACEMENT CHARACTER}lines.jpg was skipped: it was ended by signal 11",
        "4 inputs processed, 3 skipped",
    ]


def test_a_folder_of_which_nothing_can_be_read_ends_with_status_1(streams, tmp_path):
    report = Report("table", None, *streams)
    report.begin(1, 0)
    report.show(answered(tmp_path / "a", inputs=0.0, skipped=1.0))
    assert report.end() == 1
    assert streams[0].getvalue() == "nothing was recognised\n"


def test_an_output_without_rows_is_told(streams, tmp_path):
    report = Report("table", None, *streams)
    part = answered(tmp_path / "a", inputs=0.0)
    (tmp_path / "a" / "predictions.jsonl").write_text("[1]\n")
    report.show(part)
    assert "the stage wrote no predictions.jsonl" in streams[1].getvalue()
