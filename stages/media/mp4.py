"""Reads the display matrix of an MP4 or QuickTime file, for decoders that tell only its angle.

The boxes are those of ISO/IEC 14496-12: moov, trak, tkhd and mdia, hdlr.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER_BYTES = 16 << 20  # a moov larger than this is not read


def display_matrix(path: Path) -> "tuple[int, ...] | None":
    """Return the nine numbers of the first video track; None if the file has none to read."""
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


def _moov(path: Path) -> bytes:
    """Return the body of the moov box, without reading the frames."""
    with path.open("rb") as file:
        position, end = 0, path.stat().st_size
        while position + 8 <= end:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", file.read(8))[0], 16
            if size == 0:
                size = end - position
            if size < header:
                break
            if kind == b"moov":
                return file.read(size - header) if size <= _HEADER_BYTES else b""
            position += size
    return b""


def _boxes(body: bytes) -> "Iterator[tuple[bytes, bytes]]":
    position = 0
    while position + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, position)
        if size < 8:
            return
        yield kind, body[position + 8 : position + size]
        position += size


def _matrix_of(tkhd: bytes) -> "tuple[int, ...]":
    """Version 1 of the box has times of 8 bytes; before the matrix stand 16 bytes more."""
    times = 32 if tkhd[0] == 1 else 20
    return struct.unpack_from(">9i", tkhd, 4 + times + 16)
