"""The journal: durable, numbered without gaps, and readable while it grows or if cut off at any byte."""

import json
import resource

import pytest

from engine import journal
from engine.journal import Follower, Journal


@pytest.fixture
def written(tmp_path):
    """A journal of three events, one with text beyond ASCII."""
    path = tmp_path / "journal.jsonl"
    with Journal(path, now=lambda: 1.5) as log:
        log.append({"event": "note", "text": "eins", "stage": None})
        log.append(
            {"event": "note", "text": "ü\n\u2028", "stage": None},
            {"event": "note", "text": "drei", "stage": None},
        )
    return path


def _texts(events):
    return [event["text"] for event in events]


def test_events_are_numbered_and_stamped(written):
    assert [(e["v"], e["seq"], e["time"]) for e in journal.read(written)] == [
        (1, 0, 1.5),
        (1, 1, 1.5),
        (1, 2, 1.5),
    ]


def test_a_journal_torn_at_every_byte_gives_the_whole_events_before(written):
    data = written.read_bytes()
    for end in range(len(data) + 1):
        written.write_bytes(data[:end])
        assert len(journal.read(written)) == data[:end].count(b"\n")


def test_a_journal_torn_at_every_byte_is_gone_on_with_and_has_no_gap(written):
    data = written.read_bytes()
    for end in range(len(data) + 1):
        written.write_bytes(data[:end])
        with Journal(written) as log:
            log.append({"event": "note", "text": "more", "stage": None})
        events = journal.read(written)
        assert [e["seq"] for e in events] == list(range(len(events)))
        assert _texts(events)[-1] == "more"


@pytest.mark.parametrize(
    "rubbish", [b"\0\0\0\0\n", b"\xff\xfe\n", b"[]\n", b"null\n", b"{}\n", b"nonsense\n"]
)
def test_a_damaged_line_ends_the_reading_without_an_error(written, rubbish):
    data = written.read_bytes()
    first = data.index(b"\n") + 1
    written.write_bytes(data[:first] + rubbish + data[first:])
    assert _texts(journal.read(written)) == ["eins"]


def test_what_is_appended_after_a_damaged_line_is_read(written):
    written.write_bytes(written.read_bytes() + b"nonsense\n")
    with Journal(written) as log:
        log.append({"event": "note", "text": "more", "stage": None})
    assert _texts(journal.read(written))[-1] == "more"


def test_events_of_a_newer_version_are_left_out(written):
    with written.open("a") as file:
        file.write(json.dumps({"v": 99, "seq": 3, "time": 2, "event": "future"}) + "\n")
    assert len(journal.read(written)) == 3


def test_numbers_go_on_behind_an_event_of_a_newer_version(written):
    with written.open("a") as file:
        file.write(json.dumps({"v": 99, "seq": 3, "time": 2, "event": "future"}) + "\n")
    with Journal(written) as log:
        assert log.append({"event": "note", "text": "more", "stage": None})[0]["seq"] == 4


def test_a_follower_sees_each_event_once_while_the_file_grows(tmp_path):
    path = tmp_path / "journal.jsonl"
    follower = Follower(path)
    assert follower.poll() == []
    with Journal(path) as log:
        log.append({"event": "note", "text": "a", "stage": None})
        assert _texts(follower.poll()) == ["a"]
        log.append({"event": "note", "text": "b", "stage": None})
        assert _texts(follower.poll()) == ["b"]
    assert follower.poll() == []


def test_a_follower_takes_whole_events_up_to_a_number_of_bytes(written):
    follower = Follower(written)
    steps = [_texts(follower.poll(most_bytes)) for most_bytes in (1, 1000, 1000)]
    assert steps == [["eins"], ["ü\n\u2028", "drei"], []]


def test_a_follower_waits_for_the_end_of_a_line(written):
    data = written.read_bytes()
    written.write_bytes(data[:-5])
    follower = Follower(written)
    assert len(follower.poll()) == 2
    written.write_bytes(data)
    assert _texts(follower.poll()) == ["drei"]


def test_an_event_that_does_not_fit_leaves_the_journal_whole_and_to_be_gone_on_with(written):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = written.stat().st_size
    with Journal(written) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                log.append({"event": "note", "text": "much" * 100, "stage": None})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert written.stat().st_size == size
        log.append({"event": "note", "text": "more", "stage": None})
    assert [(e["seq"], e["text"]) for e in journal.read(written)][-1] == (3, "more")


def test_a_removed_journal_takes_no_event(written):
    with Journal(written) as log:
        written.unlink()
        with pytest.raises(OSError, match="was removed"):
            log.append({"event": "note", "text": "more", "stage": None})
        written.write_text("")
        assert not log.is_still_there()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"event": "note"}\n{"event": "run_finished"}\n', "run_finished"),
        ('{"event": "run_finished"}\n{"event": "no', None),
        ("torn\n", None),
        ("", None),
        ("[" * 9000 + "\n", None),
    ],
)
def test_the_kind_of_the_last_event_is_read_from_the_end(tmp_path, text, kind):
    (tmp_path / "journal").write_text(text)
    assert journal.last_kind(tmp_path / "journal") == kind
