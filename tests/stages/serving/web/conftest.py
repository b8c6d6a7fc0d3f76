"""A web server on a real socket, with a pipeline that the test controls."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stages.serving.events import hub as hubs
from stages.serving.events.hub import Hub
from stages.serving.web.server import Server
from stages.serving.web.settings import Limits, Settings
from tests.stages.serving.fakes import FakeFeed

PATIENT_S = 20.0  # for a busy machine; nothing waits for it if all is well


@dataclass
class Answer:
    """A response as it came: status, headers by name in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Web:
    """A running server, and a client for it."""

    def __init__(self, server: Server, feed: FakeFeed, hub: Hub, said: list[str]) -> None:
        self.server, self.feed, self.hub, self.said = server, feed, hub, said
        self.port = server.port
        self.token = server.url.partition("?token=")[2]
        self.host = f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENT_S)

    def send(self, data: bytes) -> Answer:
        """Send bytes on a new connection, and return the answer."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):  # it may be refused while it is sent
                connection.sendall(data)
            return answer_of(connection)

    def ask(
        self, method: str, path: str, body: bytes = b"", token: bool = True, **headers: str
    ) -> Answer:
        """Make a request with the token; header names are written with underscores."""
        return self.send(self.request(method, path, body, token, **headers))

    def request(
        self, method: str, path: str, body: bytes = b"", token: bool = True, **headers: str
    ) -> bytes:
        lines = {"Host": self.host, "Connection": "close"}
        if token and self.token:
            lines["Authorization"] = f"Bearer {self.token}"
        if body or method == "POST":
            lines["Content-Length"] = str(len(body))
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        body = json.dumps(data).encode()
        return self.ask("POST", path, body, **{"Content_Type": "application/json", **headers})


def answer_of(connection: socket.socket) -> Answer:
    """Read one response with a length, or up to the end of the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    original = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines}
    length = int(headers.get("content-length", "0"))
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return Answer(int(first.split()[1]) if first else 0, original, body)


Opens = Callable[..., Web]


@pytest.fixture
def opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opens]:
    """Start a server with settings, limits, captures and sources of the test."""
    monkeypatch.setattr(hubs, "POLL_S", 0.01)  # so that the hub ends at once
    with contextlib.ExitStack() as ends:

        def start(
            limits: dict[str, Any] | None = None,
            captures: Any = None,
            feed: FakeFeed | None = None,
            **settings: Any,
        ) -> Web:
            feed = feed or FakeFeed()
            hub = Hub(feed).start()
            ends.callback(hub.close)
            said: list[str] = []
            chosen = Settings(tmp_path / "state", port=0, limits=Limits(**(limits or {})))
            server = Server(hub, dataclasses.replace(chosen, **settings), captures, said.append)
            ends.callback(server.close)
            server.start()
            return Web(server, feed, hub, said)

        yield start


@pytest.fixture
def web(opens: Opens) -> Web:
    """A server with the default settings."""
    return opens()


def trusting() -> ssl.SSLContext:
    """Return a client's context that accepts any certificate, as a person may in a browser."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
