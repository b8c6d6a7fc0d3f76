"""The recorder: what is durable before anything is shown, and what a failing sink may not do."""

import pytest

from engine.journal import FILE_NAME, Journal, read
from engine.recorder import Recorder

NOTE = {"event": "note", "stage": None, "text": "a sample"}


class Listener:
    """A sink that remembers what it was shown, and what the journal held at that moment."""

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
        == f"warning: {Listener.__module__} failed and shows no more: RuntimeError('full')\n"
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


def test_who_sees_the_last_event_finds_every_file(journal, tmp_path):
    writer = Writer(tmp_path / FILE_NAME)
    recorder = Recorder(tmp_path, journal, [writer])
    recorder.emit(STARTED)
    recorder.finish("finished", 1.5)
    assert writer.shown == [("run_started", "running", 1), ("run_finished", "finished", 1)]
    assert (tmp_path / "run.json").is_file() and (tmp_path / "metrics.json").is_file()
    assert [event["event"] for event in read(tmp_path / FILE_NAME)] == ["run_started", "run_finished"]


def test_a_run_that_cannot_go_on_says_why(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    recorder.give_up(RuntimeError("no more"), 1.0)
    note, last = read(tmp_path / FILE_NAME)[1:]
    assert note["text"] == "the run could not go on: RuntimeError('no more')"
    assert last["status"] == "failed"


def test_a_journal_that_was_removed_takes_no_last_words(journal, tmp_path):
    recorder = Recorder(tmp_path, journal, [])
    recorder.emit(STARTED)
    (tmp_path / FILE_NAME).unlink()
    recorder.give_up(RuntimeError("no more"), 1.0)
    assert not (tmp_path / FILE_NAME).exists() and not (tmp_path / "run.json").exists()
