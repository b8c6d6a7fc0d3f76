"""Limits on what an MLflow may cost: the time of a request and of an attempt, and the size of an
answer.

A request's timeout limits each read of a socket, so a server that sends a byte now and then could
block a caller forever. An alarm interrupts whatever takes too long. It works only in the main
thread; other threads have only the timeouts of the sockets.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

_PIECE_BYTES = 64 * 1024
# a library may swallow an alarm; psycopg checks every 0.1 s and would miss faster ones
_TICK_S = 0.25


class Exceeded(BaseException):
    """MLflow took too long or sent too much.

    Not an Exception, because MLflow and its libraries catch those and continue.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long MLflow may take, and how much it may send."""

    request_s: float  # one request with its answer, plus the time of its upload
    waiting_s: float  # all requests of an attempt, plus the time that each adds
    waiting_per_request_s: float = 3.0
    upload_bytes_per_s: float = 100_000.0  # the slowest supported connection
    answer_bytes: int = 16_000_000
    attempt_s: float = 600.0  # a whole attempt, plus the time of its uploads
    database_s: float = 120.0  # the same on a database server, whose requests are invisible here


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's last answer."""

    status: int
    body: bytes


class Watch:
    """One attempt within its limits.

    It keeps the last answer, because MLflow's exceptions say little about it.
    """

    def __init__(self, bounds: Bounds, is_database_server: bool = False) -> None:
        self.answer: Answer | None = None
        self.is_unanswered = False  # the last request got no complete answer
        self._bounds = bounds
        self._whole_s = bounds.database_s if is_database_server else bounds.attempt_s
        self._end_s = time.monotonic() + self._whole_s
        self._allowed_s = bounds.waiting_s
        self._request_end_s: float | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Apply the limits to this process until the end of the block."""
        with _alarm(self._check), _wrapped_adapter(self):
            yield

    def send(self, send: Any, adapter: Any, request: Any, options: dict[str, Any]) -> Any:
        """Send one request and read its whole answer; each redirect is a separate request."""
        from urllib3 import Retry

        self.answer, self.is_unanswered = None, True
        adapter.max_retries = Retry(
            0, read=False
        )  # else urllib3 reads a refusal to its end to retry the request
        with self._waiting(_upload_bytes(request)):
            response = send(adapter, request, **{**options, "stream": True})
            try:
                response._content = self._body(response)
            finally:
                response.raw.close()
        response._content_consumed = True
        self.answer, self.is_unanswered = Answer(response.status_code, response._content), False
        return response

    def _body(self, response: Any) -> bytes:
        body = bytearray()
        for piece in response.raw.stream(_PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > self._bounds.answer_bytes:
                raise Exceeded(f"sent more than {self._bounds.answer_bytes} bytes in one answer")
            self._check()
        return bytes(body)

    @contextmanager
    def _waiting(self, upload_bytes: int) -> Iterator[None]:
        uploading_s = upload_bytes / self._bounds.upload_bytes_per_s
        self._allowed_s += self._bounds.waiting_per_request_s + uploading_s
        self._end_s += uploading_s
        began_s = time.monotonic()
        self._request_end_s = began_s + min(self._bounds.request_s + uploading_s, self._allowed_s)
        try:
            yield
        finally:
            self._request_end_s = None
            self._allowed_s -= time.monotonic() - began_s

    def _check(self) -> None:
        now_s = time.monotonic()
        if now_s > self._end_s or (self._request_end_s is not None and now_s > self._request_end_s):
            raise Exceeded("answers too slowly")


@contextmanager
def _wrapped_adapter(watch: Watch) -> Iterator[None]:
    """Send every request of the package requests, which MLflow always uses, under the watch."""
    import requests

    adapter: Any = requests.adapters.HTTPAdapter
    send = adapter.send

    def watched(self: Any, request: Any, **options: Any) -> Any:
        return watch.send(send, self, request, options)

    adapter.send = watched
    try:
        yield
    finally:
        adapter.send = send


@contextmanager
def _alarm(check: Any) -> Iterator[None]:
    """Call the check at intervals, even while the program waits."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_active = True

    def ring(number: int, frame: FrameType | None) -> None:
        if is_active:
            check()

    before = signal.signal(signal.SIGALRM, ring)
    began_s = time.monotonic()
    left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)
    try:
        yield
    finally:
        is_active = False
        left_s = max(left_s - (time.monotonic() - began_s), 0.001) if left_s else 0.0
        signal.setitimer(signal.ITIMER_REAL, left_s, interval_s)
        signal.signal(signal.SIGALRM, before)


def _upload_bytes(request: Any) -> int:
    return int(request.headers.get("Content-Length") or 0)
