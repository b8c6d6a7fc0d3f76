"""One connection: reads requests, has them answered, and writes the responses, all within time limits.

`deadline_s` is when the current step must be done; the server's sweep calls `expire` after it. One timer
for all connections is cheaper than one for each read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from stages.serving.web import request as requests
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response, error, head

if TYPE_CHECKING:
    from stages.serving.web.route import Route
    from stages.serving.web.site import Site

HANDSHAKE = b"\x16"  # the first byte of TLS
_LINGER_S, _LINGER_BYTES = 1.0, 1024 * 1024
_LIVE_BUFFER_BYTES = 64 * 1024  # in the kernel, so that live pictures are not old when they arrive


class Connection:
    """A viewer's connection. is_waiting: it has nothing that is worth keeping, so it may be evicted."""

    def __init__(
        self, opened: socket.socket, address: str, site: Site, context: Optional[ssl.SSLContext]
    ) -> None:
        self.address, self.is_waiting = address, True
        self.task: Optional[asyncio.Task[None]] = None  # which runs it
        self._socket, self._site, self._context = opened, site, context
        self._limits = site.settings.limits
        self._is_plain = False  # HTTP on a port for HTTPS
        self._is_handed_over = False  # the socket, to asyncio
        self._reader: asyncio.StreamReader
        self._writer: Optional[asyncio.StreamWriter] = None
        self.since_s = asyncio.get_running_loop().time()
        self.deadline_s = self.since_s + self._limits.head_s
        self._is_reading = False  # a body
        self._is_read = False  # the whole request
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            await self._open()
            while await self._exchange():
                pass
        except (OSError, EOFError, Refused, asyncio.CancelledError):  # lost, or expired
            pass
        finally:
            await self._close()

    def expire(self) -> None:
        """End the connection, because its time is over or its place is needed."""
        self.is_waiting = False
        if self._is_reading and self._writer and not self._writer.is_closing():
            self._is_reading = False
            self._site.tally.refused("time")
            self._writer.write(head(error(408, "the request took too long"), False))
        elif self._writer:
            self._writer.transport.abort()
        if self.task:
            self.task.cancel()

    def release(self) -> None:
        """Close the socket if that is still to be done, because the task never ran."""
        if not self._is_handed_over:
            self._socket.close()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._context:
            await self._turn()  # a handshake costs more than a request
            first = await _first_byte(self._socket)
            self._is_plain = first != HANDSHAKE
        reader = asyncio.StreamReader(self._limits.head_bytes, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        context = None if self._is_plain else self._context
        timeout_s = self._limits.head_s if context else None
        self._is_handed_over = True
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, self._socket, ssl=context, ssl_handshake_timeout=timeout_s
        )
        transport.set_write_buffer_limits(self._limits.buffer_bytes)
        self._reader = reader
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _exchange(self) -> bool:
        """Answer one request; return whether the connection can be used again."""
        raw = await self._head()
        if not raw:
            return False
        self._is_read = False
        request: Optional[Request] = None
        try:
            request = requests.parse(raw, self._limits.headers)
            request.address = self.address
            response = await self._response(request)
        except Refused as refused:
            response = error(refused.status, refused.why, refused.headers)
            response.delay_s = refused.delay_s
        if response.delay_s:
            self._step(response.delay_s + 1.0, is_waiting=True)
            await asyncio.sleep(response.delay_s)
        self._site.tally.answered(response.status)
        keeps = request is not None and self._keeps(request, response)
        await self._send(response, keeps, is_head=bool(request and request.method == "HEAD"))
        if not keeps and not self._is_read:
            await self._linger()
        return keeps

    def _keeps(self, request: Request, response: Response) -> bool:
        """Return whether the connection can be used again: nothing of this request is left in it."""
        is_complete = self._is_read or not request.length
        return request.keeps_alive and response.has_length and is_complete

    async def _response(self, request: Request) -> Response:
        await self._turn()
        if self._is_plain:
            return self._site.redirect(request)
        route = self._site.admit(request)
        async with self._site.room_for(route):
            await self._read_body(request, route)
            self._is_read = True
            self._step(self._limits.answer_s)
            try:
                return await route.handle(request)
            except Refused:
                raise
            except Exception:
                self._site.tally.failed(traceback.format_exc())
                return error(500, "the server failed; its log has the cause")

    async def _head(self) -> bytes:
        """Return the next head; empty: the viewer has closed the connection, or sends too much."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            self._site.tally.answered(431)
            await self._send(error(431, "the head of the request is too large"), False, False)
            await self._linger()
            return b""
        self._step(self._limits.head_s)
        return raw

    async def _turn(self) -> None:
        wait_s = self._site.throttle.wait_s(self.address)
        if wait_s < 0:
            raise Refused(429, "too many requests: wait a moment", Retry_After="1")
        if wait_s:
            self._step(self._limits.head_s + wait_s, is_waiting=True)
            await asyncio.sleep(wait_s)

    async def _read_body(self, request: Request, route: Route) -> None:
        length = request.length
        if length is None and request.method == "POST":
            raise Refused(411, "a POST request needs Content-Length")
        if not length:
            return
        if length > route.body_bytes:
            raise Refused(413, f"the body is larger than {route.body_bytes} bytes")
        assert self._writer
        if request.header("expect").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._step(self._limits.body_s, is_reading=True)
        request.body = await self._reader.readexactly(length)

    async def _send(self, response: Response, keeps_alive: bool, is_head: bool) -> None:
        assert self._writer
        self._writer.write(head(response, keeps_alive))
        if response.stream is not None:
            await self._send_stream(response, is_head)
        elif response.body and not is_head:
            self._writer.write(response.body)
        await self._flush()
        self.is_waiting, self.since_s = True, asyncio.get_running_loop().time()
        self.deadline_s = self.since_s + self._limits.idle_s

    async def _send_stream(self, response: Response, is_head: bool) -> None:
        assert self._writer and response.stream
        if response.is_live:
            self._writer.transport.set_write_buffer_limits(0)
            opened = self._writer.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LIVE_BUFFER_BYTES)
        stream = response.stream
        try:
            await self._flush()
            self.deadline_s = float("inf")  # while the stream has nothing to send
            while not is_head and not self._is_left():
                try:
                    data = await stream.__anext__()
                except StopAsyncIteration:
                    break
                if data:
                    self._writer.write(data)
                    await self._flush()
                    self.deadline_s = float("inf")
        finally:
            await stream.aclose()

    def _is_left(self) -> bool:
        """Return whether the viewer has closed or reset the connection."""
        assert self._writer
        return self._reader.at_eof() or self._writer.transport.is_closing()

    async def _flush(self) -> None:
        assert self._writer
        self._step(self._limits.write_s)
        await self._writer.drain()

    async def _linger(self) -> None:
        """Read what the viewer still sends, so that the network does not discard our answer."""
        assert self._writer
        self._step(_LINGER_S)
        if self._writer.can_write_eof():
            self._writer.write_eof()
        left = _LINGER_BYTES
        while left > 0 and (data := await self._reader.read(64 * 1024)):
            left -= len(data)

    async def _close(self) -> None:
        if self._writer is None:
            return
        self._step(self._limits.write_s)
        self._writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()
        self._writer.transport.abort()

    def _step(self, within_s: float, is_waiting: bool = False, is_reading: bool = False) -> None:
        self.deadline_s = asyncio.get_running_loop().time() + within_s
        self.is_waiting, self._is_reading = is_waiting, is_reading


async def _first_byte(opened: socket.socket) -> bytes:
    """Return the first byte that arrives, and leave it in the socket."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(opened, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(opened)
    return opened.recv(1, socket.MSG_PEEK)
