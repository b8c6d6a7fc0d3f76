"""MLflow servers that drip, flood or never end: each ends an attempt in bounded time and memory."""

import gzip
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.mlflow.bounds import Bounds, Exceeded, Watch
from engine.mlflow.sync import sync
from tests.mlflow_runs import make_folder, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
BOUNDS = Bounds(request_s=0.6, waiting_s=0.8, waiting_per_request_s=0.1, answer_bytes=1_000_000)
GENEROUS = Bounds(request_s=60, waiting_s=60, answer_bytes=1_000_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
FOUND = b'{"experiment": {"experiment_id": "1", "name": "demo", "lifecycle_stage": "active"}}'
Peer = Callable[[socket.socket], None]


def drip(start: bytes, again: bytes) -> Peer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            time.sleep(0.05)
            connection.sendall(again)

    return answer


def flood(start: bytes, again: bytes) -> Peer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(again)

    return answer


def whole(body: bytes, head: bytes = OK) -> bytes:
    return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def bomb(connection: socket.socket) -> None:
    inner = gzip.compress(bytes(1_000_000_000), 9, mtime=0)
    connection.sendall(
        whole(gzip.compress(inner, 9, mtime=0), OK + b"Content-Encoding: gzip, gzip\r\n")
    )


def late(connection: socket.socket) -> None:
    time.sleep(0.25)
    connection.sendall(whole(FOUND))


DRIPS = {
    "says nothing": lambda connection: time.sleep(60),
    "drips its status": drip(b"HTTP/1.1 200 ", b"O"),
    "drips its headers": drip(OK, b"X-A: b\r\n"),
    "drips a body with a length": drip(OK + b"Content-Length: 9999999\r\n\r\n", b" "),
    "drips a body without a length": drip(OK + b"\r\n", b" "),
    "drips chunks": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drips the body of an error": drip(b"HTTP/1.1 500 Oh\r\n\r\n", b" "),
    "answers late each time": late,
}
FLOODS = {
    "sends a body without an end": flood(OK + b"\r\n", b" " * 0x10000),
    "sends chunks without an end": flood(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "sends a chunk's length without an end": flood(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 0x10000
    ),
    "sends headers without an end": flood(OK, b"X-A: b\r\n" * 1000),
    "sends a header without an end": flood(OK + b"X-A: ", b"b" * 0x10000),
    "sends a status without an end": flood(b"HTTP/1.1 200 ", b"O" * 0x10000),
    "sends informational answers without an end": flood(
        b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000
    ),
    "sends an error without an end": flood(b"HTTP/1.1 500 Oh\r\n\r\n", b" " * 0x10000),
    "sends a redirect without an end": flood(
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b" " * 0x10000
    ),
    "redirects without an end": lambda connection: connection.sendall(
        whole(b"", b"HTTP/1.1 302 Found\r\nLocation: /again\r\n")
    ),
    "sends a bomb": bomb,
}


@pytest.fixture
def serve() -> Iterator[Callable[[Peer], str]]:
    """Start a server that answers each connection so, after it has read a request; return its address."""
    listeners = []

    def start(answer: Peer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.settimeout(60)
                    read_request(connection)
                    answer(connection)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    said = b""
    while b"\r\n\r\n" not in said:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("gone")
        said += piece
    return said


@pytest.fixture
def problem(tmp_path: Path, events: Any, make_job: Any, serve: Any) -> Callable[..., str]:
    """Return what `sync` says of a run whose MLflow answers so."""
    make_folder(tmp_path, whole_run(events, make_job))
    sync(tmp_path, {"uri": "http://127.0.0.1:9"})  # imports MLflow, which is not what is measured

    def said(answer: Peer, bounds: Bounds = BOUNDS) -> str:
        report = sync(tmp_path, {"uri": serve(answer)}, bounds)
        assert set(report.problems) == {"r1"} and not report.sent
        return re.sub(r"http://127\.0\.0\.1:\d+", "SERVER", report.problems["r1"])

    return said


def peak_bytes() -> int:
    """Return the most memory that this process had since the last call, and begin anew."""
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    Path("/proc/self/clear_refs").write_text("5")
    return peak


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS.keys())
def test_a_server_that_drips_is_left_soon(problem: Any, answer: Peer) -> None:
    began = time.monotonic()
    assert problem(answer) == "SERVER answers too slowly"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS.keys())
def test_a_server_that_floods_costs_little_time_and_memory(problem: Any, answer: Peer) -> None:
    began = time.monotonic()
    peak_bytes()
    before = peak_bytes()
    assert problem(answer).startswith("SERVER ")
    assert peak_bytes() - before < 100_000_000
    assert time.monotonic() - began < 20


def test_an_answer_that_is_too_large_is_called_so(problem: Any) -> None:
    said = problem(flood(OK + b"\r\n", b" " * 0x10000), GENEROUS)
    assert said == "SERVER sent more than 1000000 bytes in one answer"


def test_many_requests_that_are_answered_within_their_time_are_no_excess(serve: Any) -> None:
    import requests

    address = serve(lambda connection: connection.sendall(whole(b"{}")))
    watch = Watch(Bounds(request_s=30, waiting_s=1, waiting_per_request_s=10))
    with watch.active():
        assert [requests.get(address).content for _ in range(20)] == [b"{}"] * 20


def test_a_large_upload_has_the_time_that_it_takes(serve: Any) -> None:
    import requests

    def slow(connection: socket.socket) -> None:
        left = 1_500_000
        while left > 0:
            left -= len(connection.recv(100_000))
            time.sleep(0.1)
        connection.sendall(whole(b"{}"))

    watch = Watch(Bounds(request_s=0.5, waiting_s=0.5, upload_bytes_per_s=20_000))
    with watch.active():
        assert requests.post(serve(slow), data=b" " * 2_000_000).status_code == 200


def test_what_waits_outside_a_request_ends_with_the_attempt() -> None:
    with pytest.raises(Exceeded), Watch(Bounds(request_s=9, waiting_s=9, attempt_s=0.3)).active():
        time.sleep(60)


def test_the_alarm_of_others_goes_on_after_an_attempt() -> None:
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    old = signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with Watch(BOUNDS).active():
            pass
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.5
        signal.pause()
        assert rang == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *old)


def test_another_thread_goes_without_the_alarm(serve: Any) -> None:
    import requests

    address, got = serve(lambda connection: connection.sendall(whole(b"{}"))), []

    def ask() -> None:
        with Watch(GENEROUS).active():
            got.append(requests.get(address).content)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert got == [b"{}"]


def refusal(status: int, body: bytes, words: str = "Oh") -> Peer:
    head = f"HTTP/1.1 {status} {words}\r\nContent-Type: text/html\r\nRetry-After: 60\r\n".encode()
    return lambda connection: connection.sendall(whole(body, head))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"oh", "SERVER answers with HTTP status 500 (internal server error)"),
        (
            500,
            json.dumps(
                {"error_code": "INTERNAL_ERROR", "message": "the disk is full\nhere"}
            ).encode(),
            "SERVER answers with HTTP status 500 (internal server error): the disk is full",
        ),
        (503, b"", "SERVER answers with HTTP status 503 (service unavailable)"),
        (429, b"slow down", "SERVER answers with HTTP status 429 (too many requests)"),
        (
            429,
            b'{"error_code": "REQUEST_LIMIT_EXCEEDED"}',
            "SERVER answers with HTTP status 429 (too many requests)",
        ),
        (
            401,
            b"who?",
            "SERVER answers with HTTP status 401 (not allowed): write the user and the password into "
            "tracking.uri,"
            " or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        (
            403,
            b"no",
            "SERVER answers with HTTP status 403 (not allowed): write the user and the password into "
            "tracking.uri,"
            " or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        (
            403,
            b"Invalid Host header - possible DNS rebinding attack detected",
            "SERVER answers with HTTP status 403 (not allowed): start the server with --allowed-hosts "
            "and this address",
        ),
        (
            404,
            b"<html>Not Found</html>",
            "SERVER answers with HTTP status 404: there is no MLflow at this address; check tracking.uri",
        ),
        (413, b"<html>", "SERVER answers with HTTP status 413 (request entity too large)"),
        (
            200,
            b"<html>Welcome</html>",
            "SERVER does not answer with MLflow's JSON; check tracking.uri",
        ),
        (
            200,
            b"[1]",
            "SERVER does not answer with MLflow's JSON; check tracking.uri",
        ),
        (
            302,
            b"",
            "SERVER answers with HTTP status 302: it redirects to another address; set "
            "tracking.uri to that address",
        ),
    ],
)
def test_what_a_server_answers_is_reported(
    problem: Any, status: int, body: bytes, said: str
) -> None:
    assert problem(refusal(status, body), GENEROUS) == said


def test_a_server_that_hangs_up_does_not_answer(problem: Any) -> None:
    assert problem(lambda connection: connection.close(), GENEROUS) == "SERVER does not answer"


def test_what_no_server_takes_is_not_offered_run_by_run(
    tmp_path: Path, events: Any, make_job: Any, serve: Any
) -> None:
    for name in ("r1", "r2", "r3", "r4"):
        make_folder(tmp_path, whole_run(events, make_job, name), name)
    report = sync(tmp_path, {"uri": serve(refusal(500, b""))}, GENEROUS)
    assert [re.sub(r"http://\S+", "SERVER", said) for said in report.problems.values()] == [
        *["SERVER answers with HTTP status 500 (internal server error)"] * 2,
        *["left for the next sync because of the problems above"] * 2,
    ]
