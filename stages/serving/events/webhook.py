"""Posts events as JSON to the addresses in rules. Only hosts that the user listed are in rules; redirects
are not followed. Each host has a thread, so that none waits for another; it tries a few times, and what
waits is bounded.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Dict, Optional, Tuple
from urllib.parse import SplitResult, urlsplit

from stages.serving.interfaces import Event, Happening, Hub, Message

MOST_WAITING = 100
TIMEOUT_S = 5.0
PAUSES_S = (1.0, 5.0)  # before the second and the third attempt
Say = Callable[[str], None]

if TYPE_CHECKING:
    Waiting = queue.Queue[Optional[Tuple[str, Event]]]


class Webhooks:
    """A reaction that posts events."""

    def __init__(
        self,
        say: Say,
        timeout_s: float = TIMEOUT_S,
        pauses_s: Tuple[float, ...] = PAUSES_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._say, self._timeout_s, self._pauses_s = say, timeout_s, pauses_s
        self._most_waiting = most_waiting
        self._hosts: Dict[str, Tuple[Waiting, threading.Thread]] = {}
        self._lock = threading.Lock()  # of the counts
        self._sent = self._lost = 0
        self._failing: Dict[str, str] = {}  # host -> why, as it was said
        self._has_ended = threading.Event()

    def start(self, hub: Hub) -> None:
        """Nothing: a host's thread starts with its first event."""

    def see(self, message: Message) -> None:
        """Messages of the pipeline are not posted."""

    def react(self, event: Event, happening: Happening) -> None:
        """Order the posts of an event."""
        for url in happening.rule.do.webhooks:
            try:
                self._waiting(urlsplit(url).netloc).put_nowait((url, event))
            except queue.Full:
                self._count(lost=1)

    def counters(self) -> Dict[str, float]:
        return {"serving_webhook_sent_total": self._sent, "serving_webhook_lost_total": self._lost}

    def close(self) -> None:
        """Post what waits once, without further attempts, and end within seconds."""
        self._has_ended.set()
        for waiting, _ in self._hosts.values():
            with suppress(queue.Full):
                waiting.put_nowait(None)
        end_s = time.monotonic() + self._timeout_s + 1.0
        for _, thread in self._hosts.values():
            thread.join(max(0.0, end_s - time.monotonic()))

    def _waiting(self, host: str) -> Waiting:
        """Return what waits for a host; the first time, start its thread."""
        if host not in self._hosts:
            waiting: Waiting = queue.Queue(self._most_waiting)
            thread = threading.Thread(
                target=self._work, args=(host, waiting), name="webhook", daemon=True
            )
            self._hosts[host] = waiting, thread
            thread.start()
        return self._hosts[host][0]

    def _work(self, host: str, waiting: Waiting) -> None:
        for url, event in iter(waiting.get, None):
            why = self._attempts(url, event)
            self._count(lost=bool(why), sent=not why)
            self._tell(host, why)

    def _count(self, lost: int = 0, sent: int = 0) -> None:
        with self._lock:
            self._lost += lost
            self._sent += sent

    def _attempts(self, url: str, event: Event) -> str:
        """Return why the event was not accepted, or nothing."""
        why = ""
        for pause_s in (0.0, *self._pauses_s):
            if pause_s and self._has_ended.wait(pause_s):
                break
            why, is_final = post(url, json.dumps(event).encode(), self._timeout_s)
            if not why or is_final:
                break
        return why

    def _tell(self, host: str, why: str) -> None:
        """Say once that a host fails, and that it works again; the path may be secret."""
        if why and self._failing.get(host) != why:
            self._say(f"the webhook at {host} did not take an event: {why}")
        elif not why and host in self._failing:
            self._say(f"the webhook at {host} takes events again")
        if why:
            self._failing[host] = why
        else:
            self._failing.pop(host, None)


def post(url: str, body: bytes, timeout_s: float) -> Tuple[str, bool]:
    """Post JSON; return why it was refused, or nothing, and whether another attempt is useless."""
    parts = urlsplit(url)
    connection = _connection(parts, timeout_s)
    limit = threading.Timer(2 * timeout_s, _cut, [connection])  # for one that sends byte by byte
    limit.start()
    try:
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = {"Content-Type": "application/json", "User-Agent": "raspberrypi-mlops"}
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return getattr(error, "strerror", None) or str(error) or type(error).__name__, False
    finally:
        limit.cancel()
        connection.close()
    if status < 300:
        return "", True
    if status < 400:
        return f"it redirects (status {status}), which is not followed", True
    return f"status {status}", status < 500 and status not in (408, 429)


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection that another thread reads."""
    with suppress(OSError, AttributeError):  # it has just ended
        connection.sock.shutdown(socket.SHUT_RDWR)


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
