"""A client of an untrusted container engine: the size, duration and minimum speed of its answers are
limited.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

import docker
import requests
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

ANSWER_BYTES = 64_000_000  # of what is read whole: a list, an account of a container, a log
ANSWER_S = 60.0  # the same, from the first byte to the last
_SLOWEST = 1000  # bytes a second, below which an answer is taken for none


class Api(docker.APIClient):  # type: ignore[misc]
    """docker-py's client with limits on time and size.

    Streams are limited in time here, and in size by their readers.
    """

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request; requests' own errors for an answer that is too long, or takes too long."""
        is_streamed = options.pop("stream", False)
        answer = super().send(request, stream=True, **options)
        if not is_streamed:
            try:
                answer._content = b"".join(_limited(answer, options.get("timeout")))
            finally:
                answer.close()
            answer._content_consumed = True
        return answer

    def get_redirect_target(self, resp: Any) -> None:
        """Follow none: no engine sends its client elsewhere, and requests would read such an answer
        whole.
        """

    def mount(self, prefix: str, adapter: Any) -> None:
        """Put an adapter of our own in the place of docker-py's for a Unix socket."""
        if isinstance(adapter, UnixHTTPAdapter):
            adapter = self._custom_adapter = _Adapter(
                adapter.socket_path, adapter.timeout, max_pool_size=adapter.max_pool_size
            )
        super().mount(prefix, adapter)


class _Adapter(UnixHTTPAdapter):  # type: ignore[misc]
    """docker-py's, whose connections end with an answer that drips."""

    def get_connection(self, url: str, proxies: Any = None) -> Any:
        """Return the pool of connections."""
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(
                    url, self.socket_path, self.timeout, maxsize=self.max_pool_size
                )
        return pool


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self.timeout)


class _Connection(UnixHTTPConnection):  # type: ignore[misc]
    def connect(self) -> None:
        """Connect as docker-py does, with a socket of our own."""
        self.sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)


class _Socket(socket.socket):
    """Gives up on an answer of which hardly anything comes: a timeout of each read alone would wait
    for every byte again.
    """

    _patience_s: float | None = None
    _since = 0.0
    _received = 0

    def settimeout(self, value: float | None) -> None:
        """Count again: urllib3 sets it before each answer."""
        super().settimeout(value)
        self._patience_s = (
            value if value and value <= ANSWER_S else None
        )  # with more, it may be an engine at work on an image
        self._since, self._received = time.monotonic(), 0

    def recv_into(self, *arguments: Any) -> int:
        """Receive what has come."""
        count = super().recv_into(*arguments)
        self._received += count
        waited = time.monotonic() - self._since
        if self._patience_s is not None and waited > self._patience_s:
            if count and self._received < waited * _SLOWEST:
                raise TimeoutError("the container engine answers too slowly")
            self._since, self._received = time.monotonic(), 0
        return count


def _limited(answer: Any, timeout_s: float | None) -> Iterator[bytes]:
    """Yield an answer's body; without a timeout it may be long in coming, as that of a container's
    end.
    """
    size, deadline_s = 0, time.monotonic() + max(ANSWER_S, timeout_s or 0.0)
    for chunk in answer.iter_content(1 << 12):
        size += len(chunk)
        if size > ANSWER_BYTES:
            raise requests.exceptions.ContentDecodingError(
                f"the answer has more than {ANSWER_BYTES:,} bytes"
            )
        if timeout_s is not None and time.monotonic() > deadline_s:
            raise requests.exceptions.ReadTimeout("the answer takes too long")
        yield chunk
