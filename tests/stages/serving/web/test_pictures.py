"""Live pictures: single ones, the next one, and the endless stream."""

import socket
import struct
import threading
import time

import pytest

from stages.serving.interfaces import Picture
from stages.serving.web import pictures
from tests.stages.serving.fakes import FakeFeed
from tests.stages.serving.web.conftest import PATIENT_S, answer_of


def _picture(frame, size=100):
    return Picture(b"\xff\xd8\xff" + bytes([frame % 256]) * size, frame, 1.5)


def _wait(claim):
    end_s = time.monotonic() + PATIENT_S
    while not claim():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_the_newest_picture_is_sent_with_its_frame_and_time(web):
    web.feed.pictures["door"] = _picture(7)
    answer = web.get("/pictures/door.jpg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["x-frame"] == "7" and answer.headers["x-time-s"] == "1.500"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body == _picture(7).jpeg


def test_the_next_picture_is_waited_for(web):
    web.feed.pictures["door"] = _picture(7)
    with web.connect() as connection:
        connection.sendall(web.request("GET", "/pictures/door.jpg?after=7"))
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENT_S)
        web.feed.pictures["door"] = _picture(8)
        assert answer_of(connection).headers["x-frame"] == "8"


def test_without_a_new_picture_the_answer_is_empty(web):
    web.feed.pictures["door"] = _picture(7)
    assert web.get("/pictures/door.jpg?after=7&wait=0.1").status == 204


def test_without_any_picture_the_answer_says_so(web):
    web.feed.pictures.clear()
    answer = web.get("/pictures/door.jpg?wait=0.1")
    assert answer.status == 503 and answer.json == {"error": "the source has no picture now"}


@pytest.mark.parametrize("path", ["nowhere.jpg", "nowhere", ".jpg", "door.png", "door/x.jpg"])
def test_an_unknown_source_is_not_found(web, path):
    assert web.get(f"/pictures/{path}").status == 404


@pytest.mark.parametrize("query", ["after=x", "fps=nan", "wait=inf", "fps=1e400"])
def test_malformed_numbers_are_refused(web, query):
    assert web.get(f"/pictures/door.jpg?{query}").status == 400


def test_names_of_sources_may_have_any_characters(opens):
    names = ("a b/c.jpg", "täst", "<b>", "100%")
    web = opens(feed=FakeFeed(sources=names))
    for path in ("a%20b%2Fc.jpg.jpg", "t%C3%A4st.jpg", "%3Cb%3E.jpg", "100%25.jpg"):
        assert web.get(f"/pictures/{path}").status == 200


def test_pictures_are_wanted_only_while_somebody_watches(web, monkeypatch):
    monkeypatch.setattr(pictures, "LEASE_S", 0.2)
    web.get("/pictures/door.jpg?fps=5")
    web.get("/pictures/door.jpg?plain&fps=1000")
    assert web.feed.wants == [("door", "web", 5.0, True), ("door", "web-plain", 12.0, False)]
    _wait(lambda: len(web.feed.wants) == 4)
    assert sorted(web.feed.wants[2:]) == [("door", "web", 0, True), ("door", "web-plain", 0, False)]


def test_many_viewers_cost_the_pipeline_no_more_than_one(web):
    asked = []
    real = web.feed.picture
    web.feed.picture = lambda *args: asked.append(1) or real(*args)
    threads = [
        threading.Thread(target=web.get, args=("/pictures/door.jpg?after=1000000000&wait=0.5",))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 <= len(asked) <= 40  # 24 a second for 12 pictures a second
    assert [want[2] for want in web.feed.wants] == [12.0]


def test_the_stream_has_every_new_picture_in_its_own_part(web, monkeypatch):
    monkeypatch.setattr(pictures, "TICK_S", 0.1)
    web.feed.pictures["door"] = _picture(1)
    with web.connect() as stream:
        stream.sendall(web.request("GET", "/pictures/door"))
        data = b""
        for frame in (1, 2, 3):
            web.feed.pictures["door"] = _picture(frame)
            while _picture(frame).jpeg not in data:
                data += stream.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"multipart/x-mixed-replace; boundary=picture" in head
    parts = body.split(b"--picture\r\n")
    assert parts[0] == b"" and len(parts) >= 4
    assert parts[1].startswith(b"Content-Type: image/jpeg\r\nContent-Length: 103\r\nX-Frame: 1\r\n")
    _wait(lambda: web.server._site.pictures.viewers == 0)


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_viewer_that_leaves_while_nothing_happens_is_noticed(web, monkeypatch, is_reset):
    monkeypatch.setattr(pictures, "TICK_S", 0.1)
    with web.connect() as stream:
        stream.sendall(web.request("GET", "/pictures/door"))
        assert stream.recv(65536)
        _wait(lambda: web.server._site.pictures.viewers == 1)
        if is_reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _wait(lambda: web.server._site.pictures.viewers == 0)
    _wait(lambda: web.server._site.throttle.connections == 0)


def test_a_slow_viewer_of_the_stream_skips_pictures(opens):
    web = opens(fps=200.0)
    web.feed.pictures["door"] = _picture(0, 200_000)
    with web.connect() as stream:
        stream.sendall(web.request("GET", "/pictures/door"))
        _wait(lambda: web.server._site.pictures.viewers == 1)
        for frame in range(1, 100):
            web.feed.pictures["door"] = _picture(frame, 200_000)
            time.sleep(0.005)
        data = b""
        while b"X-Frame: 99\r\n" not in data:
            data += stream.recv(1 << 20)
    assert data.count(b"X-Frame") < 60
