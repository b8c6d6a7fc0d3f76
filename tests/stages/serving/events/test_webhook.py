"""Webhooks with a real HTTP server: what arrives, attempts, redirects, slow receivers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stages.serving.events.hub import Hub
from stages.serving.events.rule import Do, Rule, When
from stages.serving.events.webhook import Webhooks, post
from tests.services import free_port
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.fakes import FakeFeed, detection, update


class Receiver(ThreadingHTTPServer):
    """A server that answers with the given statuses, one after the other, then with 200."""

    def __init__(self, statuses: tuple[int, ...] = (), hangs: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.hangs = list(statuses), threading.Event()
        if not hangs:
            self.hangs.set()
        self.got: list[tuple[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body)))
        self.server.hangs.wait(10)
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def receiving(*statuses: int, hangs: bool = False) -> Iterator[Receiver]:
    with Receiver(statuses, hangs) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.hangs.set()
            server.shutdown()
            thread.join()


@contextmanager
def posting(url: str, said: list[str], **values: Any) -> Iterator[tuple[FakeFeed, Hub]]:
    when = When(frozenset({"person"}), forgive_s=0.0)
    rule = Rule("visitor", when, Do(webhooks=(url,)), cool_down_s=0.0)
    feed = FakeFeed()
    hub = Hub(feed, [rule], [Webhooks(said.append, pauses_s=(0.01, 0.01), **values)]).start()
    try:
        yield feed, hub
    finally:
        hub.close()


def test_an_event_arrives_as_json() -> None:
    with receiving() as server, posting(f"{server.url}/secret?a=b", []) as (feed, hub):
        feed.put(update(detection()), update(frame=1))
        wait(lambda: hub.counters()["serving_webhook_sent_total"] == 2)
    assert [path for path, _ in server.got] == ["/hook/secret?a=b"] * 2
    assert [(one["rule"], one["state"]) for _, one in server.got] == [
        ("visitor", "began"),
        ("visitor", "ended"),
    ]


def test_a_receiver_that_fails_for_a_moment_is_tried_again() -> None:
    said = list[str]()
    with receiving(500, 503) as server, posting(server.url, said) as (feed, hub):
        feed.put(update(detection()))
        wait(lambda: hub.counters()["serving_webhook_sent_total"])
    assert len(server.got) >= 3 and said == []


@pytest.mark.parametrize(("status", "word"), [(302, "redirects"), (404, "status 404")])
def test_a_refusal_is_final_and_no_redirect_is_followed(status: int, word: str) -> None:
    said = list[str]()
    with receiving(status) as server, posting(server.url, said) as (feed, hub):
        feed.put(update(detection()))
        wait(lambda: hub.counters()["serving_webhook_lost_total"])
        assert len(server.got) == 1
    assert word in said[0] and "/hook" not in said[0]


def test_a_lasting_failure_is_said_once_and_so_is_its_end() -> None:
    said = list[str]()
    with receiving(*[500] * 6) as server, posting(server.url, said) as (feed, hub):
        feed.put(update(detection()), update(frame=1), update(detection(), frame=2))
        wait(lambda: hub.counters()["serving_webhook_sent_total"])
    host = server.url.split("/")[2]
    assert said == [
        f"the webhook at {host} did not take an event: status 500",
        f"the webhook at {host} takes events again",
    ]


def test_a_slow_receiver_delays_no_event_and_what_waits_is_bounded() -> None:
    with (
        receiving(hangs=True) as server,
        posting(server.url, [], timeout_s=0.2, most_waiting=5) as (feed, hub),
    ):
        for n in range(50):
            feed.put(update(detection(), frame=2 * n), update(frame=2 * n + 1))
        wait(lambda: len(hub.events(most=1000)) == 100)
        assert hub.counters()["serving_webhook_lost_total"] >= 90


def _drip(server: socket.socket, has_ended: threading.Event) -> None:
    """Answer with an endless status line, byte by byte."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        while not has_ended.wait(0.02):
            connection.sendall(b"H")


def test_a_receiver_that_answers_byte_by_byte_is_cut_off() -> None:
    has_ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drip, args=(server, has_ended))
        thread.start()
        why, is_final = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", 0.1)
        has_ended.set()
        thread.join()
    assert why and not is_final


def test_a_receiver_that_is_not_there_is_reported() -> None:
    why, is_final = post(f"http://127.0.0.1:{free_port()}/", b"{}", 1.0)
    assert (why, is_final) == ("Connection refused", False)


def test_a_plain_receiver_is_not_taken_for_an_encrypted_one() -> None:
    with receiving() as server:
        why, _ = post(server.url.replace("http:", "https:"), b"{}", 1.0)
    assert why and server.got == []


def test_a_host_that_hangs_keeps_no_other_waiting() -> None:
    with receiving(hangs=True) as slow, receiving() as fast:
        when = When(frozenset({"person"}), forgive_s=0.0)
        rule = Rule("visitor", when, Do(webhooks=(slow.url, fast.url)), cool_down_s=0.0)
        feed = FakeFeed()
        hub = Hub(feed, [rule], [Webhooks([].append)]).start()
        feed.put(update(detection()), update(frame=1))
        wait(lambda: len(fast.got) == 2)
        assert len(slow.got) <= 1 and not slow.hangs.is_set()
        slow.hangs.set()
        hub.close()
