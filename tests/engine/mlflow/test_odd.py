"""Runs with odd contents: what MLflow can be told reaches it, and one run's damage stops no other."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine import handles
from engine.journal import FILE_NAME
from engine.mlflow import artifacts, entries
from engine.mlflow.sync import sync
from tests.mlflow_runs import database, make_folder, snapshot, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies


def odd_run(events: Any, make_job: Any, *added: dict[str, Any]) -> list[dict[str, Any]]:
    """A whole run with these events in its middle, while `train` runs."""
    found = whole_run(events, make_job)
    at = next(i for i, event in enumerate(found) if event["event"] == "metric")
    found[at:at] = [{"v": 1, "time": found[at]["time"], **event} for event in added]
    return [{**event, "seq": seq} for seq, event in enumerate(found)]


def metric(**fields: Any) -> dict[str, Any]:
    return {"event": "metric", "stage": "train", "name": "odd", "value": 1.0, "step": 0, **fields}


@pytest.mark.parametrize(
    "event",
    [
        metric(name=".."),
        metric(name="/a"),
        metric(name="a//b"),
        metric(name="a\udcff"),
        metric(name="x" * 250),
        metric(value=float("nan")),
        metric(value=float("-inf")),
        metric(step=2**53),
        metric(step=-(2**53)),
        metric(stage="unknown"),
        {"event": "note", "stage": "train", "text": "a\udcffb\0c"},
        {
            "event": "job_failed",
            "stage": "train",
            "attempt": 1,
            "seconds": 1,
            "kind": "\udcff",
            "message": "a\0\udcff",
            "log": "",
            "log_tail": "",
            "retry_in_s": 1,
        },
    ],
    ids=lambda event: ascii(event)[:60],
)
def test_an_odd_event_does_not_keep_a_run_from_mlflow(
    outputs: Path, events: Any, make_job: Any, event: dict[str, Any]
) -> None:
    make_folder(outputs, odd_run(events, make_job, event))
    report = sync(outputs, {})
    assert (report.problems, report.sent) == ({}, ["r1"])
    found = snapshot(database(outputs))
    assert found["r1/"]["status"] == "FINISHED" and found["r1/train"]["last"]["accuracy"] == 0.9
    assert sync(outputs, {}).complete == ["r1"]


def test_odd_parameters_and_words_of_a_run_reach_mlflow(
    outputs: Path, events: Any, make_job: Any
) -> None:
    found = odd_run(events, make_job)
    params = {
        "a\udcff": "b\udcff\0",
        "n": float("nan"),
        "none": None,
        "..": 1,
        "": 2,
        "huge": 2**2000,
        "deep": {"a": [1]},
    }
    found[0] |= {
        "params": params,
        "command": ["run.py", "a\udcff"],
        "git_commit": "\udcff",
        "usecase": "demo",
    }
    make_folder(outputs, found)
    assert sync(outputs, {}).problems == {}
    assert snapshot(database(outputs))["r1/"]["params"]["a_"] == "b??"


def test_a_damaged_run_is_reported_and_the_others_are_sent(
    outputs: Path, events: Any, make_job: Any
) -> None:
    for name in ("r1", "r2", "r3", "r4", "r5"):
        make_folder(outputs, whole_run(events, make_job, name), name)
    for name, key in (("r1", "usecase"), ("r2", "run_id"), ("r3", "jobs")):
        path = outputs / "demo" / "rpi4" / name / FILE_NAME
        first, *others = path.read_text().splitlines()
        start = {field: value for field, value in json.loads(first).items() if field != key}
        path.write_text("\n".join([json.dumps(start), *others]) + "\n")
    (outputs / "demo" / "rpi4" / "r4" / ".mlflow.lock").mkdir()
    report = sync(outputs, {})
    assert report.sent == ["r5"]
    assert set(report.problems) == {"r1", "r2", "r3", "r4"}
    assert report.problems["r1"] == "its journal is damaged: line 1 is not an event"
    assert all("left for the next sync" not in why for why in report.problems.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"backend": 1}',
        '{"backend": "x", "seq": "many"}',
        '{"backend": "x", "engine": 5}',
        "\0",
    ],
)
def test_a_damaged_cursor_is_begun_anew(
    outputs: Path, events: Any, make_job: Any, text: str
) -> None:
    folder = make_folder(outputs, whole_run(events, make_job))
    (folder / "mlflow.json").write_text(text)
    assert sync(outputs, {}).sent == ["r1"]


def test_files_with_odd_names_reach_mlflow_with_their_letters_escaped(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folder = make_folder(outputs, whole_run(events, make_job))
    out = folder / "artifacts" / "split" / "out"
    out.unlink()
    (out / "caf\udce9").mkdir(parents=True)
    for name in ("a?b", "a#b", "100%", "a b", "ü", "a\nb", "a\\b", "a_x3fb", "\udcff" * 250):
        (out / name).write_text(name.encode("utf-8", "surrogateescape").hex())
    (out / "caf\udce9" / "x").write_text("inner")
    assert sync(outputs, {}).problems == {}
    files = snapshot(database(outputs))["r1/split"]["files"]
    assert len(files) == 10 and {
        "out/a b",
        "out/ü",
        "out/caf_xe9/x",
        "out/100_x25",
        "out/a_x0ab",
        "out/a_x3fb",
        "out/a_x3fb_",
    } <= set(files)


def test_a_tree_too_deep_to_be_copied_is_left_out(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folder = make_folder(outputs, whole_run(events, make_job))
    out = folder / "artifacts" / "split" / "out"
    out.unlink()
    out.mkdir()
    here = os.open(out, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    problems = sync(outputs, {}).problems
    assert handles.remove(out)
    assert problems == {}
    assert (
        snapshot(database(outputs))["r1/split"]["tags"]["rpi.left_out.out"]
        == "cannot be read: File name too long"
    )


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a/b", "a/b"),
        ("..", "__"),
        ("/a", "_a"),
        ("a//b", "a__b"),
        ("a/", "a_"),
        (".", "_"),
        ("", "_"),
        ("a/../b", "a_.._b"),
    ],
)
def test_a_key_is_one_that_mlflow_takes(name: Any, taken: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    assert entries.key(name).replace("_.", "__") == taken.replace("_.", "__")
    _validate_metric_name(entries.key(name))


def test_links_inside_an_output_stay_behind(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "out" / "folder").symlink_to(tmp_path)
    (tmp_path / "out" / "file").write_text("y")
    os.mkfifo(tmp_path / "out" / "fifo")
    artifacts.copy(tmp_path / "out", tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["file"]
