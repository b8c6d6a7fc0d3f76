"""Reads the display matrix of an MP4 or QuickTime file, and whether it is complete, for decoders that do
not report these.

The boxes are those of ISO/IEC 14496-12: moov, trak, tkhd and mdia, hdlr.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES = 16 << 20  # a moov larger than this is not read


def display_matrix(path: Path) -> "tuple[int, ...] | None":
    """Return the nine numbers of the first video track; None if the file has no readable matrix."""
    try:
        moov = _moov(path)
        for track in (body for kind, body in _boxes(moov) if kind == b"trak"):
            boxes = dict(_boxes(track))
            handler = dict(_boxes(boxes.get(b"mdia", b""))).get(b"hdlr", b"")
            if handler[8:12] == b"vide":
                return _matrix_of(boxes[b"tkhd"])
    except (OSError, struct.error, KeyError, IndexError):
        pass
    return None


def is_whole(path: Path) -> bool:
    """Return whether this is an MP4 file whose boxes all end inside the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        places = list(_top_level(file, size))
    return any(kind == b"moov" for kind, _, _ in places) and places[-1][2] <= size


def _moov(path: Path) -> bytes:
    """Return the body of the moov box, without reading the frames."""
    with path.open("rb") as file:
        for kind, start, end in _top_level(file, path.stat().st_size):
            if kind == b"moov" and end - start <= _HEADER_BYTES:
                file.seek(start)
                return file.read(end - start)
    return b""


def _top_level(file: BinaryIO, size: int) -> "Iterator[tuple[bytes, int, int]]":
    """Yield each box's kind, and where its body starts and ends."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            if position + 16 > size:
                return
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        if length == 0:
            length = size - position
        if length < header:
            return
        yield kind, position + header, position + length
        position += length


def _boxes(body: bytes) -> "Iterator[tuple[bytes, bytes]]":
    position = 0
    while position + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, position)
        if size < 8:
            return
        yield kind, body[position + 8 : position + size]
        position += size


def _matrix_of(tkhd: bytes) -> "tuple[int, ...]":
    """Return the matrix. In version 1 of the box, times have 8 bytes, and 16 more bytes precede it."""
    times = 32 if tkhd[0] == 1 else 20
    return struct.unpack_from(">9i", tkhd, 4 + times + 16)
