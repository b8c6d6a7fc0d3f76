"""A client for an untrusted container engine: limits the size, the duration and the minimum speed of its
responses.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

import docker
import requests
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

ANSWER_BYTES = (
    64_000_000  # of a response that is read into memory: a list, a container's state, a log
)
ANSWER_S = 60.0  # for such a response, from the first byte to the last
_SLOWEST = 1000  # bytes per second; a slower response is treated as lost


class Api(docker.APIClient):  # type: ignore[misc]
    """docker-py's client with limits on time and size.

    The duration of streams is limited here, their size by their readers.
    """

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request; raise an exception of requests if the response is too large or too slow."""
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
        """Follow no redirects: engines send none, and requests would read the whole response."""

    def mount(self, prefix: str, adapter: Any) -> None:
        """Replace docker-py's adapter for Unix sockets by ours."""
        if isinstance(adapter, UnixHTTPAdapter):
            adapter = self._custom_adapter = _Adapter(
                adapter.socket_path, adapter.timeout, max_pool_size=adapter.max_pool_size
            )
        super().mount(prefix, adapter)


class _Adapter(UnixHTTPAdapter):  # type: ignore[misc]
    """docker-py's adapter, with connections that end if a response is too slow."""

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
        """Connect like docker-py, but with our socket."""
        self.sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)


class _Socket(socket.socket):
    """A socket that gives up on a slow response: with a timeout per read, each byte would restart the
    wait.
    """

    _patience_s: float | None = None
    _since = 0.0
    _received = 0

    def settimeout(self, value: float | None) -> None:
        """Reset the counters: urllib3 calls this before each response."""
        super().settimeout(value)
        self._patience_s = (
            value if value and value <= ANSWER_S else None
        )  # with a longer timeout, the engine may be busy with an image
        self._since, self._received = time.monotonic(), 0

    def recv_into(self, *arguments: Any) -> int:
        """Receive the available bytes."""
        count = super().recv_into(*arguments)
        self._received += count
        waited = time.monotonic() - self._since
        if self._patience_s is not None and waited > self._patience_s:
            if count and self._received < waited * _SLOWEST:
                raise TimeoutError("the container engine answers too slowly")
            self._since, self._received = time.monotonic(), 0
        return count


def _limited(answer: Any, timeout_s: float | None) -> Iterator[bytes]:
    """Yield a response's body; without a timeout it may take long, as when waiting for a container's end."""
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
