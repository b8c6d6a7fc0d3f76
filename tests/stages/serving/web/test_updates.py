"""The stream of server-sent events."""

import json
import time

from stages.serving.web import updates
from stages.serving.web.updates import Changes
from tests.stages.serving.fakes import detection, source_state, update, worker_state
from tests.stages.serving.web.conftest import PATIENT_S


class Reader:
    """Reads a stream message by message."""

    def __init__(self, web, path="/api/stream", **headers):
        self.connection = web.connect()
        self.connection.sendall(web.request("GET", path, **headers))
        self._data = b""
        self.head = self._until(b"\r\n\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def next(self, *names):
        """Return name, data and id of the next message with one of the names."""
        while True:
            lines = self._until(b"\n\n").decode().splitlines()
            fields = dict(line.split(": ", 1) for line in lines if line[0] != ":")
            if "event" in fields and (fields["event"] in names or not names):
                return fields["event"], json.loads(fields["data"]), fields.get("id")

    def _until(self, mark):
        while mark not in self._data:
            more = self.connection.recv(65536)
            assert more, "the stream ended"
            self._data += more
        found, _, self._data = self._data.partition(mark)
        return found


def _event(web, number, **values):
    event = {"kind": "event", "number": number, "text": f"event {number}", "clip": None, **values}
    with web.hub._lock:
        web.hub._events = type(web.hub._events)(
            [one for one in web.hub._events if one["number"] != number] + [event]
        )


def _wait(claim):
    end_s = time.monotonic() + PATIENT_S
    while not claim():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_new_viewer_gets_what_is_known_and_then_every_change(web):
    web.feed.put(source_state(), worker_state(), update(detection()))
    _wait(web.hub.updates)
    with Reader(web) as stream:
        assert b"text/event-stream" in stream.head and b"no-store" in stream.head
        assert stream.next()[0] == "hello"
        names = {stream.next()[0] for _ in range(4)}
        assert names == {"source", "worker", "update", "numbers"}
        web.feed.put(update(detection("cat"), frame=1))
        assert stream.next("update")[1]["detections"][0]["label"] == "cat"


def test_events_have_numbers_and_none_is_lost_when_a_viewer_returns(web):
    _event(web, 1)
    with Reader(web) as stream:
        _event(web, 2)
        _, event, place = stream.next("event")  # event 1 was before the viewer
        assert event["number"] == 2
    _event(web, 3)
    _event(web, 4)
    with Reader(web, Last_Event_ID=place) as stream:
        assert [stream.next("event")[1]["number"] for _ in range(2)] == [3, 4]
    with Reader(web, f"/api/stream?after={place}") as stream:
        assert stream.next("event")[1]["number"] == 3


def test_after_a_restart_of_the_server_a_viewer_gets_all_events(web):
    _event(web, 1)
    for place in ("00000000.57", "nonsense", "x.y", f"{web.server._site.changes.boot}.-1"):
        with Reader(web, Last_Event_ID=place) as stream:
            assert stream.next("event")[1]["number"] == 1


def test_an_event_is_sent_again_when_its_clip_is_complete(web, monkeypatch):
    monkeypatch.setattr(updates, "NUMBERS_S", 0.1)
    with Reader(web) as stream:
        _event(web, 1)
        _, _, place = stream.next("event")
        stream.next("numbers")
        stream.next("numbers")
        _event(web, 1, clip="1.mp4")
        _, event, again = stream.next("event")
        assert event["clip"] == "1.mp4" and place and again is None


def test_a_slow_viewer_gets_only_the_newest_update_of_a_source(web):
    changes = Changes(web.hub)
    changes.look()
    order, _ = changes.since(0)
    for frame in range(50):
        web.feed.put(update(detection(), frame=frame))
        _wait(lambda frame=frame: web.hub.updates().get("door", {}).get("frame") == frame)
        changes._looked_s = 0.0
        changes.look()
    _, texts = changes.since(order)
    found = [text for text in texts if text.startswith(b"event: update")]
    assert len(found) == 1 and b'"frame":49' in found[0]


def test_a_quiet_stream_still_shows_that_it_is_alive(web, monkeypatch):
    monkeypatch.setattr(updates, "NUMBERS_S", 0.1)
    with Reader(web) as stream:
        for _ in range(3):
            stream.next("numbers")


def test_texts_cannot_forge_messages(web):
    _event(web, 1)
    with Reader(web) as stream:
        _event(web, 2, text="a\n\nevent: update\ndata: {}\r\n")
        assert stream.next("event")[1]["text"] == "a\n\nevent: update\ndata: {}\r\n"


def test_values_that_json_lacks_become_null(web):
    with Reader(web) as stream:
        web.feed.put(update(detection(score=float("nan")), age_ms=float("inf")))
        found = stream.next("update")[1]
        assert found["detections"][0]["score"] is None and found["age_ms"] is None


def test_a_viewer_that_does_not_read_is_dropped_and_others_go_on(opens, monkeypatch):
    monkeypatch.setattr(updates, "PERIOD_S", 0.001)
    web = opens({"write_s": 0.3, "buffer_bytes": 1024})
    with Reader(web) as slow, Reader(web) as fast:
        _wait(lambda: web.server._site.changes.viewers == 2)
        frame, end_s = 0, time.monotonic() + PATIENT_S
        while web.server._site.changes.viewers == 2:
            assert time.monotonic() < end_s
            frame += 1
            web.feed.put(update(detection(), frame=frame, answer="x" * 500_000))
            assert fast.next("update")[1]["frame"] <= frame
        assert slow
