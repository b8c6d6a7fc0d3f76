"""A server on loopback that says what a test tells it to: malicious, broken, or in need of a password."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Speaker:
    """A server on loopback that gives predefined responses, and records requests."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, dict[str, str], bytes]]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        speaker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                speaker.asked.append((self.command, self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                listed = speaker.answers.get(
                    (self.command, self.path.partition("?")[0]), [(404, {}, b"")]
                )
                status, headers, body = listed.pop(0) if len(listed) > 1 else listed[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_PUT = do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def says(self, method: str, path: str, *answers: tuple[int, dict[str, str], bytes]) -> None:
        """Respond in this order, and then repeat the last one."""
        self.answers[method, path] = list(answers)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Run one until the block ends."""
        made = cls()
        thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.server.shutdown()
            thread.join()
            made.server.server_close()
