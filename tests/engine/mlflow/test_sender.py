"""The one sender of an outputs folder: it serves runs together, ends when idle, and may be killed."""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow import cursor as cursors
from engine.mlflow.backend import resolve
from engine.mlflow.queue import RunRequest
from engine.mlflow.reading import Reader
from engine.mlflow.start import SenderStarter
from engine.mlflow.sync import sync
from engine.sinks.mlflow import Sink
from tests.mlflow_runs import append, database, make_folder, snapshot, until, whole_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # warnings of MLflow and its dependencies
]
MARK = "RPI_MLOPS_TEST_SENDER"


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """The living senders that this test started."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)

    def found() -> list[int]:
        return [
            int(pid)
            for pid in os.listdir("/proc")
            if pid.isdigit() and is_sender(Path("/proc", pid))
        ]

    def is_sender(process: Path) -> bool:
        try:
            is_marked = f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
            return is_marked and b"engine.mlflow.sender" in (process / "cmdline").read_bytes()
        except OSError:
            return False

    return found


def starter(outputs: Path, **pace: float) -> SenderStarter:
    return SenderStarter(outputs, resolve(outputs, {}), pace)


def is_recorded(folder: Path) -> bool:
    return cursors.load(folder, resolve(folder.parents[2], {}).key).is_closed


def many(outputs: Path, events: Any, make_job: Any, names: list[str]) -> list[Path]:
    """Runs that cached different things."""
    found = []
    for name in names:
        whole = whole_run(events, make_job, name, cached=name.encode().hex().zfill(64))
        found.append(make_folder(outputs, whole, name))
    return found


def test_runs_that_end_together_share_one_sender(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    folders = many(outputs, events, make_job, ["r1", "r2", "r3", "r4"])
    for folder in folders:
        Sink(folder, outputs, {}).close()
    seen = set(senders())
    while not all(map(is_recorded, folders)):
        seen.update(
            pid for pid in senders() if memory_bytes(pid) > 80_000_000
        )  # one that imported MLflow
        time.sleep(0.05)
    assert len([pid for pid in seen if pid in senders()]) == 1
    assert len(snapshot(database(outputs))) == 16


def memory_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def test_a_sender_that_is_idle_ends(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    (folder,) = many(outputs, events, make_job, ["r1"])
    sending = starter(outputs, idle_s=0.5)
    sending.queue.put(RunRequest(folder, None, is_complete=True))
    sending.start_if_needed()
    until(lambda: is_recorded(folder), 60)
    until(lambda: not senders() and not sending.has_sender(), 10)
    assert not sending.queue.has_sender() and not sending.queue.requests()


def test_a_run_that_goes_on_keeps_no_other_waiting(
    outputs: Path, events: Any, make_job: Any
) -> None:
    live = make_folder(outputs, whole_run(events, make_job, "r1")[:4], "r1")
    (over,) = many(outputs, events, make_job, ["r2"])
    sending = starter(outputs)
    sending.queue.put(RunRequest(live, cursors.identity(os.getpid())))
    sending.queue.put(RunRequest(over, None, is_complete=True))
    sending.start_if_needed()
    until(lambda: is_recorded(over), 60)
    assert not is_recorded(live)
    append(live, whole_run(events, make_job, "r1")[4:])
    sending.queue.put(RunRequest(live, cursors.identity(os.getpid()), is_complete=True))
    until(lambda: is_recorded(live), 60)


def test_a_request_left_while_the_sender_ends_is_served(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folders = many(outputs, events, make_job, [f"r{i}" for i in range(6)])
    for i, folder in enumerate(folders):
        sending = starter(outputs, idle_s=0.01)
        sending.queue.put(RunRequest(folder, None, is_complete=True))
        sending.start_if_needed()
        if i % 2:
            until(lambda: not sending.queue.requests(), 60)  # noqa: B023
        time.sleep(i * 0.02)
    until(lambda: all(map(is_recorded, folders)), 60)
    assert len(snapshot(database(outputs))) == 24


@pytest.mark.parametrize("seq", [0, 5, 12])
def test_what_a_killed_sender_left_the_next_one_sends(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]], seq: int
) -> None:
    found = whole_run(events, make_job, "r1")
    first = make_folder(outputs, found[: seq + 1], "r1")
    killed = starter(outputs)
    killed.queue.put(RunRequest(first, cursors.identity(os.getpid())))
    killed.start_if_needed()
    until(lambda: cursors.load(first, resolve(outputs, {}).key).seq >= seq, 60)
    append(first, found[seq + 1 :])
    time.sleep(0.1 * seq / 12)
    for pid in senders():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not killed.has_sender(), 10)
    (second,) = many(outputs, events, make_job, ["r2"])
    following = starter(outputs)
    following.queue.put(RunRequest(second, None, is_complete=True))
    killed.queue.put(RunRequest(first, None, is_complete=True))
    following.start_if_needed()
    until(lambda: is_recorded(first) and is_recorded(second), 60)
    recorded = snapshot(database(outputs))  # which fails for a run that is there twice
    assert len(recorded) == 8
    assert {run["status"] for run in recorded.values()} == {"FINISHED"}
    assert recorded["r1/train"]["points"] == recorded["r2/train"]["points"]


def test_a_run_whose_folder_was_removed_stops_no_other(
    outputs: Path, events: Any, make_job: Any
) -> None:
    (folder,) = many(outputs, events, make_job, ["r2"])
    sending = starter(outputs, idle_s=0.5)
    sending.queue.put(RunRequest(outputs / "demo" / "rpi4" / "r1", None, is_complete=True))
    sending.queue.put(RunRequest(folder, None, is_complete=True))
    sending.start_if_needed()
    until(lambda: is_recorded(folder), 60)
    until(lambda: not sending.queue.requests(), 10)
    assert not (outputs / "demo" / "rpi4" / "r1").exists()


def test_a_sender_is_told_of_no_credential_on_its_command_line_or_on_disk(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    (folder,) = many(outputs, events, make_job, ["r1"])
    follower = Sink(folder, outputs, {"uri": "http://ann:s3cr3t@127.0.0.1:9"})
    follower.close()
    (pid,) = senders()
    assert b"s3cr3t" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    until(lambda: "does not answer" in follower.outcome, 60)
    files = [path for path in outputs.rglob("*") if path.is_file() and path.name != "mlflow.db"]
    assert not [path for path in files if b"s3cr3t" in path.read_bytes()]


def test_runs_that_end_while_mlflow_is_away_are_left_to_sync(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    folders = many(outputs, events, make_job, ["r1", "r2", "r3"])
    away = resolve(outputs, {"uri": "http://127.0.0.1:9"})
    sending = SenderStarter(outputs, away, {"idle_s": 0.5, "retry_s": 1.0, "last_tries": 1})
    for folder in folders:
        sending.queue.put(RunRequest(folder, None, is_complete=True))
    sending.start_if_needed()
    until(lambda: not sending.queue.requests() and not senders(), 60)
    problems = [cursors.load(folder, away.key).problem for folder in folders]
    assert problems == ["http://127.0.0.1:9 does not answer"] * 3
    assert sync(outputs, {}).sent == ["r1", "r2", "r3"]


def test_a_run_leaves_its_request_at_its_end_if_it_is_over_in_a_moment(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    (folder,) = many(outputs, events, make_job, ["r1"])
    follower = Sink(folder, outputs, {})
    assert not senders()
    follower.close()
    until(lambda: is_recorded(folder), 60)


def test_a_run_that_is_over_in_a_moment_does_not_wait_for_its_sender(
    outputs: Path, events: Any, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = many(outputs, events, make_job, ["r1"])
    with monkeypatch.context() as patched:
        patched.setattr(Sink, "_wait", None)
        assert "in the background" in Sink(folder, outputs, {}).close()
    until(lambda: is_recorded(folder), 60)


def test_sync_and_a_sender_do_not_send_the_same_run_at_once(
    outputs: Path, events: Any, make_job: Any
) -> None:
    folders = many(outputs, events, make_job, ["r1", "r2", "r3"])
    for folder in folders:
        Sink(folder, outputs, {}).close()
    report = sync(outputs, {})
    assert not report.problems
    until(lambda: all(map(is_recorded, folders)), 60)
    assert len(snapshot(database(outputs))) == 12


def test_a_curve_is_not_kept_in_memory(tmp_path: Path, events: Any, make_job: Any) -> None:
    folder = make_folder(tmp_path, whole_run(events, make_job))
    reader, kept = Reader(folder), []
    for event in reader.step():
        if event["event"] == "job_finished" and event["stage"] == "train":
            kept = reader.state.stages["train"].points
    assert [point[:2] for point in kept] == [
        ("loss", 2)
    ]  # the last step, which a final value follows
    assert not any(stage.points for stage in reader.state.stages.values())


def test_a_database_that_is_replaced_while_the_sender_idles_gets_the_next_run(
    outputs: Path, fresh_database: Path, events: Any, make_job: Any
) -> None:
    first, second = many(outputs, events, make_job, ["r1", "r2"])
    begun = starter(outputs, idle_s=60.0)
    begun.queue.put(RunRequest(first, None, True))
    begun.start_if_needed()
    until(lambda: is_recorded(first), 60)
    for path in outputs.glob("mlflow.db*"):
        path.unlink()
    (outputs / "mlflow.db").write_bytes(fresh_database.read_bytes())
    begun.queue.put(RunRequest(second, None, True))
    until(lambda: is_recorded(second) and len(snapshot(database(outputs))) > 0, 60)


def test_a_sender_ends_if_its_outputs_are_removed(
    outputs: Path, events: Any, make_job: Any, senders: Callable[[], list[int]]
) -> None:
    [folder] = many(outputs, events, make_job, ["r1"])
    begun = starter(outputs, idle_s=60.0)
    begun.queue.put(RunRequest(folder, None, True))
    begun.start_if_needed()
    until(lambda: is_recorded(folder), 60)
    shutil.rmtree(outputs)
    until(lambda: not senders(), 60)
