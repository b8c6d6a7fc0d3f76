"""Questions to the model, and captured frames."""

import json
import threading

import pytest

from engine.stage import StageError
from tests.stages.serving.fakes import FakeFeed

JPEG = b"\xff\xd8\xff" + bytes(100)


def _feed(takes):
    feed = FakeFeed()
    feed.summary["takes"] = takes
    return feed


class Captured:
    """Captures that only note what they get."""

    def __init__(self):
        self.saved = []

    def labels(self):
        return ["cat"]

    def save(self, source, label):
        if label == "full":
            raise StageError("the captures reached their limit of 10 MB: raise captures=")
        self.saved.append((source, label))
        return {"count": len(self.saved)}


def test_a_sentence_is_asked_in_its_conversation(opens):
    web = opens(feed=_feed("sentences"))
    web.feed.ask = lambda raw, conversation, timeout_s: [raw, conversation, timeout_s]
    answer = web.post("/api/ask", {"sentence": "hällo", "conversation": "c"})
    assert answer.json == {"answer": ["hällo", "c", 10.0]}


def test_a_row_is_asked(opens):
    web = opens(feed=_feed("rows"))
    web.feed.ask = lambda raw, *_: raw
    row = {"width": 1.5, "colour": "blue", "none": None}
    assert web.post("/api/ask", {"row": row}).json == {"answer": row}


def test_a_picture_is_asked(web):
    answer = web.ask("POST", "/api/ask", JPEG, Content_Type="image/jpeg")
    assert answer.json == {"answer": {"answer": len(JPEG)}}


@pytest.mark.parametrize(
    ("takes", "body", "kind", "status"),
    [
        ("sentences", b"{}", "application/json", 422),
        ("sentences", b'{"sentence": " "}', "application/json", 422),
        ("sentences", b'{"sentence": 1}', "application/json", 422),
        ("sentences", json.dumps({"sentence": "x" * 2001}).encode(), "application/json", 422),
        (
            "sentences",
            b'{"sentence": "a", "conversation": "%s"}' % (b"x" * 65),
            "application/json",
            422,
        ),
        ("sentences", b"[]", "application/json", 422),
        ("sentences", b"{", "application/json", 400),
        ("sentences", b"\xff", "application/json", 400),
        ("sentences", b"[" * 60000, "application/json", 400),
        ("sentences", b'{"sentence": "a"}', "text/plain", 415),
        ("sentences", JPEG, "image/jpeg", 415),
        ("rows", b'{"row": []}', "application/json", 422),
        ("rows", b'{"row": {"a": {"b": 1}}}', "application/json", 422),
        ("pictures", b"{}", "application/json", 415),
        ("pictures", b"GIF89a", "image/jpeg", 415),
        ("tensors", b"{}", "application/json", 422),
    ],
)
def test_what_does_not_fit_the_model_is_refused(opens, takes, body, kind, status):
    web = opens(feed=_feed(takes))
    web.feed.ask = lambda *_: pytest.fail("it was passed on")
    answer = web.ask("POST", "/api/ask", body, Content_Type=kind)
    assert answer.status == status and answer.json["error"]


def test_a_refusal_of_the_model_is_a_sentence(opens):
    web = opens(feed=_feed("sentences"))

    def refuse(*_):
        raise StageError("the sentence has no words")

    web.feed.ask = refuse
    answer = web.post("/api/ask", {"sentence": "?"})
    assert (answer.status, answer.json) == (422, {"error": "the sentence has no words"})


def test_a_model_that_does_not_answer_is_said(opens):
    web = opens(feed=_feed("sentences"))

    def hang(*_):
        raise TimeoutError

    web.feed.ask = hang
    assert web.post("/api/ask", {"sentence": "a"}).status == 504


def test_more_questions_than_the_limit_are_refused_and_the_page_stays(opens):
    web = opens({"questions": 2}, feed=_feed("sentences"))
    go_on, asked = threading.Event(), threading.Semaphore(0)

    def wait(*_):
        asked.release()
        go_on.wait(20)
        return "done"

    web.feed.ask = wait
    found = []
    question = {"sentence": "a"}
    threads = [
        threading.Thread(target=lambda: found.append(web.post("/api/ask", question).status))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert asked.acquire(timeout=20)
    busy = web.post("/api/ask", question)
    assert (busy.status, busy.headers["retry-after"]) == (503, "1")
    assert web.get("/api/state").status == 200
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == [200, 200]


def test_a_body_over_the_limit_is_refused_before_it_is_sent(opens):
    web = opens({"json_bytes": 1000, "picture_bytes": 2000}, feed=_feed("sentences"))
    head = web.request("POST", "/api/ask", Content_Type="application/json", Content_Length="1001")
    assert web.send(head).status == 413  # although no byte of the body was sent
    assert web.ask("POST", "/api/ask", b"x" * 500_000).status == 413


def test_a_large_picture_is_accepted_up_to_its_limit(opens):
    web = opens({"json_bytes": 1000, "picture_bytes": 300_000})
    for size, status in ((300_000, 200), (300_001, 413)):
        body = JPEG + bytes(size - len(JPEG))
        assert web.ask("POST", "/api/ask", body, Content_Type="image/jpeg").status == status


def test_a_client_that_waits_for_permission_gets_it(web):
    head = web.request(
        "POST", "/api/ask", Content_Type="image/jpeg", Expect="100-continue", Content_Length="103"
    )
    with web.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(JPEG)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_captures_are_refused_when_they_are_off(web):
    answer = web.post("/api/capture", {"source": "door", "label": "cat"})
    assert answer.status == 403 and "captures_mb=" in answer.json["error"]


def test_a_frame_is_captured_under_its_class(opens):
    captures = Captured()
    web = opens(captures=captures)
    assert web.get("/api/state").json["captures"] == ["cat"]
    answer = web.post("/api/capture", {"source": "door", "label": " big cat "})
    assert answer.json == {"count": 1} and captures.saved == [("door", "big cat")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"source": "nowhere", "label": "cat"}, 422),
        ({"source": ["door"], "label": "cat"}, 422),
        ({"source": "door", "label": ""}, 422),
        ({"source": "door", "label": "x" * 65}, 422),
        ({"source": "door", "label": 3}, 422),
        ({"source": "door", "label": "full"}, 422),
    ],
)
def test_a_capture_that_is_not_possible_is_refused(opens, data, status):
    captures = Captured()
    answer = opens(captures=captures).post("/api/capture", data)
    assert answer.status == status and answer.json["error"] and not captures.saved
