"""The recorder: events are durable before they are shown, and a failing sink does no harm."""

import errno
import json

import pytest

from engine import run_files
from engine.errors import UserError
from engine.journal import FILE_NAME, Journal, read
from engine.recorder import Recorder

NOTE = {"event": "note", "stage": None, "text": "a sample"}


class Listener:
    """A sink that records what it was shown, and the journal's content at that time."""

    writes_files = False

    def __init__(self, path, fails_at: int | None = None) -> None:
        self.shown, self._path, self._fails_at = [], path, fails_at

    def show(self, event, state) -> None:
        if self._fails_at == len(self.shown):
            raise RuntimeError("full")
        self.shown.append((event["seq"], len(read(self._path)), len(state.notes)))

    def close(self) -> str:
        return ""


@pytest.fixture
def journal(tmp_path):
    """An empty journal."""
    with Journal(tmp_path / FILE_NAME) as opened:
        yield opened


def test_an_event_is_in_the_journal_before_it_is_shown(journal, tmp_path):
    listener = Listener(tmp_path / FILE_NAME)
    recorder = Recorder(tmp_path, journal, [listener])
    recorder.emit(NOTE)
    recorder.emit(NOTE, NOTE)
    assert listener.shown == [(0, 1, 1), (1, 3, 2), (2, 3, 3)]


def test_a_sink_that_fails_shows_no_more_and_takes_nothing_with_it(journal, tmp_path, capsys):
    good, bad = Listener(tmp_path / FILE_NAME), Listener(tmp_path / FILE_NAME, fails_at=1)
    recorder = Recorder(tmp_path, journal, [bad, good])
    for _ in range(3):
        recorder.emit(NOTE)
    assert (len(good.shown), len(bad.shown), len(recorder.state.notes)) == (3, 1, 3)
    assert (
        capsys.readouterr().err
        == f"warning: {Listener.__module__} failed and is switched off: RuntimeError('full')\n"
    )


def test_nothing_to_say_writes_nothing(journal, tmp_path):
    Recorder(tmp_path, journal, []).emit()
    assert read(tmp_path / FILE_NAME) == []


class Writer(Listener):
    """A sink that writes a file when the run is over."""

    writes_files = True

    def show(self, event, state) -> None:
        self.shown.append((event["event"], state.status, len(read(self._path))))


STARTED = {
    "event": "run_started",
    "run_id": "r",
    "usecase": "u",
    "target": "t",
    "platform": "linux/amd64",
    "machine": "x86_64",
    "command": [],
    "git_commit": None,
    "params": {},
    "objective": None,
    "assets": [],
    "jobs": [],
}


JOB_STARTED = {
    "event": "job_started",
    "attempt": 1,
    "fingerprint": "f" * 64,
    "log": "logs/works.log",
    "platform": "linux/amd64",
    "emulated": False,
    "measured_on": "x86_64",
}
JOB_FINISHED = {"event": "job_finished", "attempt": 1, "seconds": 1.0, "outputs": {}, "metrics": {}}


def test_who_sees_the_last_event_finds_every_file(journal, tmp_path):
    writer = Writer(tmp_path / FILE_NAME)
    recorder = Recorder(tmp_path, journal, [writer])
    recorder.emit(STARTED)
    recorder.finish("finished", 1.5)
    assert writer.shown == [("run_started", "running", 1), ("run_finished", "finished", 1)]
    assert (tmp_path / "run.json").is_file() and (tmp_path / "metrics.json").is_file()
    assert [event["event"] for event in read(tmp_path / FILE_NAME)] == [
        "run_started",
        "run_finished",
    ]


def test_several_mistakes_are_the_reason_in_one_line(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    mistakes = [UserError("a", "is wrong", "fix it"), UserError("b", "is too", "fix it")]
    recorder.give_up(ExceptionGroup("the request is invalid", mistakes), 1.0)
    [note, _] = read(tmp_path / FILE_NAME)[1:]
    assert note["text"] == "the run could not continue: a: is wrong; b: is too"


def test_a_run_that_cannot_go_on_says_why(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    recorder.give_up(RuntimeError("no more"), 1.0)
    note, last = read(tmp_path / FILE_NAME)[1:]
    assert note["text"] == "the run could not continue: RuntimeError('no more')"
    assert last["status"] == "failed"


def test_the_run_json_of_a_finished_run_is_as_new_as_its_journal(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    recorder.finish("finished", 1.5)
    assert (tmp_path / "run.json").stat().st_mtime_ns >= (tmp_path / FILE_NAME).stat().st_mtime_ns


@pytest.fixture
def at_work(journal, tmp_path):
    """The recorder of a run with a stage of each state: finished, running, waiting."""
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit({**STARTED, "jobs": [{"stage": "done"}, {"stage": "works"}, {"stage": "waits"}]})
    for stage in ("done", "works"):
        recorder.emit({**JOB_STARTED, "stage": stage})
    recorder.emit({**JOB_FINISHED, "stage": "done"})
    return recorder


def _states(folder) -> dict[str, str]:
    stages = json.loads((folder / "run.json").read_text())["stages"]
    return {name: stage["state"] for name, stage in stages.items()}


def test_a_run_that_cannot_go_on_leaves_no_stage_at_work(at_work, tmp_path):
    at_work.give_up(OSError(errno.EIO, "Input/output error"), 1.0)
    assert _states(tmp_path) == {"done": "finished", "works": "failed", "waits": "skipped"}
    failure = run_files.state(tmp_path).stages["works"].failure
    assert (failure["kind"], failure["message"]) == (
        "killed",
        "the run could not continue: Input/output error",
    )


def test_what_a_full_journal_cannot_take_is_in_run_json(at_work, journal, tmp_path, monkeypatch):
    def full(*events):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "append", full)
    at_work.give_up(OSError(errno.ENOSPC, "No space left on device"), 1.0)
    assert _states(tmp_path) == {"done": "finished", "works": "failed", "waits": "skipped"}


def test_a_journal_that_was_removed_takes_no_last_words(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    (tmp_path / FILE_NAME).unlink()
    recorder.give_up(RuntimeError("no more"), 1.0)
    assert not (tmp_path / FILE_NAME).exists() and not (tmp_path / "run.json").exists()
