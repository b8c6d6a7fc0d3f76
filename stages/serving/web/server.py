"""The web server: one thread with an asyncio loop, which accepts connections within the limits."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Callable, Optional, Set

from stages.serving.web import access, certificate, listener, origin
from stages.serving.web.connection import Connection
from stages.serving.web.site import Site
from stages.serving.web.throttle import network

if TYPE_CHECKING:
    import ssl

    from stages.serving.interfaces import Captures, Hub
    from stages.serving.web.settings import Settings

SWEEP_S = 0.25  # how often time limits are checked
# After each connection that is one too many: they cost little, and a new one has some time for its request
# before it is the oldest.
_PAUSE_S = 0.004
_END_S = 5.0


class Server:
    """Listens from the start; answers between `start` and `close`.

    Raises Mistakes if the settings are not safe or not possible.
    """

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        captures: Optional[Captures] = None,
        say: Callable[[str], None] = print,
    ) -> None:
        is_tls = listener.uses_tls(settings)
        self.token_file = settings.token_file or settings.state / "token"
        self._token = access.read_or_make(self.token_file) if settings.has_token else None
        self._context: Optional[ssl.SSLContext] = None
        self.fingerprint = ""
        if is_tls:
            self._context, self.fingerprint = _tls(settings)
        self.listener = listener.listen(settings.host, settings.port)
        self.port = self.listener.getsockname()[1]
        guard = access.Access(self._token, self.port, is_tls, settings.limits.tokens_s)
        names = origin.known_names((*settings.names, settings.host))
        self._site = Site(hub, settings, guard, names, captures, say)
        self._settings = settings
        self._connections: Set[Connection] = set()
        self._thread: Optional[threading.Thread] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._ended: Optional[asyncio.Event] = None

    @property
    def url(self) -> str:
        """The page's address, with the token."""
        scheme = "https" if self._context else "http"
        host = self._settings.host
        if host in ("0.0.0.0", "::", ""):  # Raspberry Pi OS announces its name in the local network
            name = socket.gethostname()
            host = name if "." in name else f"{name}.local"
        host = f"[{host}]" if ":" in host else host
        token = f"?token={self._token}" if self._token else ""
        return f"{scheme}://{host}:{self.port}/{token}"

    def start(self) -> None:
        """Start to answer, in a thread."""
        is_ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(is_ready)), name="web", daemon=True
        )
        self._thread.start()
        is_ready.wait()

    def close(self) -> None:
        """End all connections, and stop listening."""
        thread, self._thread = self._thread, None
        if thread and self._loop and self._ended:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join(_END_S)
        self._site.questions.close()
        self.listener.close()

    async def _run(self, is_ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        accepting = self._loop.create_task(self._accept())
        sweeping = self._loop.create_task(self._sweep())
        is_ready.set()
        await self._ended.wait()
        tasks = {accepting, sweeping, *(one.task for one in self._connections if one.task)}
        for connection in self._connections:
            connection.expire()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_END_S)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                opened, peer = await loop.sock_accept(self.listener)
            except OSError:  # too many open files
                self._site.tally.refused("files")
                await asyncio.sleep(SWEEP_S)
                continue
            address = network(peer[0])
            pause_s = 0.0  # a burst of connections must not delay those that are open
            if self._is_full(address):
                pause_s = _PAUSE_S
                if not self._evict(address):
                    opened.close()
                    await asyncio.sleep(pause_s)
                    continue
            self._serve(opened, address)
            await asyncio.sleep(pause_s)

    def _serve(self, opened: socket.socket, address: str) -> None:
        connection = Connection(opened, address, self._site, self._context)
        self._connections.add(connection)
        self._site.throttle.opened(address)
        connection.task = asyncio.get_running_loop().create_task(connection.run())
        connection.task.add_done_callback(lambda _: self._ended_with(connection))

    def _ended_with(self, connection: Connection) -> None:
        connection.release()
        self._connections.discard(connection)
        self._site.throttle.closed(connection.address)

    def _is_full(self, address: str) -> bool:
        most = self._settings.limits.connections
        return self._site.throttle.is_full(address) or len(self._connections) >= most

    def _evict(self, address: str) -> bool:
        """End the connection that has waited longest; return whether there was one.

        If the address has too many, it is one of its own, so that it can only harm itself.
        """
        is_own = self._site.throttle.is_full(address)
        waiting = [
            one
            for one in self._connections
            if one.is_waiting and (one.address == address or not is_own)
        ]
        oldest = min(waiting, key=lambda one: one.since_s, default=None)
        self._site.tally.refused("evicted" if oldest else "connections")
        if oldest:
            oldest.expire()
        return oldest is not None

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            for connection in list(self._connections):
                if connection.deadline_s < now_s:
                    connection.expire()


def _tls(settings: Settings) -> "tuple[ssl.SSLContext, str]":
    own, key = settings.certificate, settings.key
    if own is None or key is None:
        names = certificate.own_names(settings.host, settings.names)
        own = key = certificate.read_or_make(settings.state, names, settings.names)
    return certificate.context(own, key), certificate.fingerprint(own)
