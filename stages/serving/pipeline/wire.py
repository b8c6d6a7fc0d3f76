"""Messages of any size between processes over a socket that keeps their boundaries.

A process that is killed while it sends leaves no half message: the kernel delivers a packet as a whole
or not at all, and a message of several packets that lacks one is dropped.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from typing import Any, Dict, List, Tuple

_HEADER = struct.Struct("=IIHH")  # sender, its message number, index of the packet, packets
_PIECE = 48_000  # bytes; a packet must fit into the kernel's buffer several times
_LARGEST = 40_000_000


def pair() -> Tuple[socket.socket, socket.socket]:
    """Return two connected sockets that never block."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def pipe() -> Tuple[int, int]:
    """Return a pipe whose ends never block."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def opened(number: int) -> socket.socket:
    """Return an inherited end by its file descriptor."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, number)
    end.setblocking(False)
    return end


def packed(message: Any) -> bytes:
    """Return JSON data as bytes; raise ValueError if it is not JSON, such as a NaN."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode()


def unpacked(data: bytes) -> Any:
    return json.loads(data)


class Sender:
    """One sender at a socket that may have several; `who` is different for each."""

    def __init__(self, end: socket.socket, who: int) -> None:
        self._end, self._who, self._number = end, who, 0

    def send(self, data: bytes, timeout_s: float = 0.0) -> bool:
        """Send a message; return False if the reader does not keep up, or has gone."""
        if len(data) > _LARGEST:
            return False
        self._number = (self._number + 1) % 2**32
        count = max(1, -(-len(data) // _PIECE))
        end_s = time.monotonic() + timeout_s
        for at in range(count):
            header = _HEADER.pack(self._who, self._number, at, count)
            piece = header + data[at * _PIECE : (at + 1) * _PIECE]
            # A long message has a moment for its packets, since all fit only if somebody reads.
            if not self._sent(piece, end_s if at == 0 else max(end_s, time.monotonic() + 0.2)):
                return False
        return True

    def _sent(self, piece: bytes, end_s: float) -> bool:
        while True:
            try:
                self._end.send(piece)
                return True
            except BlockingIOError:
                left_s = end_s - time.monotonic()
                if left_s <= 0 or not select.select([], [self._end], [], left_s)[1]:
                    return False
            except OSError:
                return False


class Receiver:
    """The reader of a socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._parts: Dict[int, Tuple[int, List[bytes]]] = {}  # sender -> message number, packets

    def fileno(self) -> int:
        return self._end.fileno()

    def receive(self, most: int = 256) -> List[bytes]:
        """Return complete messages that have arrived; raise EOFError if all senders have gone."""
        found: List[bytes] = []
        while len(found) < most:
            try:
                packet = self._end.recv(_PIECE + _HEADER.size)
            except BlockingIOError:
                break
            except ConnectionResetError:
                packet = b""
            if not packet:
                if found:
                    break
                raise EOFError
            message = self._joined(packet)
            if message is not None:
                found.append(message)
        return found

    def _joined(self, packet: bytes) -> "bytes | None":
        who, number, at, count = _HEADER.unpack_from(packet)
        data = packet[_HEADER.size :]
        if count == 1:
            return data
        known, parts = self._parts.get(who, (-1, []))
        if at == 0:
            known, parts = number, []
        if known != number or len(parts) != at:  # its beginning was lost
            self._parts.pop(who, None)
            return None
        parts.append(data)
        self._parts[who] = (known, parts)
        if len(parts) < count:
            return None
        del self._parts[who]
        return b"".join(parts)
