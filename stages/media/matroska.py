"""Reads the rotation of a Matroska or WebM file, for decoders that do not report mirroring.

The elements are those of RFC 9559: Tracks, TrackEntry, Video, Projection and its yaw and roll.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_EBML, _SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_PROJECTION, _YAW, _ROLL = 0x7670, 0x7673, 0x7675
_HEADER_BYTES = 1 << 20  # the tracks precede the frames


def yaw_and_roll(path: Path) -> "tuple[float, float] | None":
    """Return both angles of the first video track in degrees; None if this is not a Matroska file.

    A yaw of 180 mirrors the picture; the roll rotates it counterclockwise.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    try:
        if _number(head, 0, keeps_marker=True)[0] != _EBML:
            return None
        body = head
        for wanted in (_SEGMENT, _TRACKS):
            body = _first(body, wanted)
        for identity, track in _elements(body):
            video = _first(track, _VIDEO) if identity == _TRACK else b""
            if video:
                projection = _first(video, _PROJECTION)
                return _real(_first(projection, _YAW)), _real(_first(projection, _ROLL))
    except (IndexError, struct.error):
        pass
    return None


def _first(body: bytes, wanted: int) -> bytes:
    return next((content for identity, content in _elements(body) if identity == wanted), b"")


def _elements(body: bytes) -> "Iterator[tuple[int, bytes]]":
    position = 0
    while position < len(body):
        identity, position = _number(body, position, keeps_marker=True)
        size, position = _number(body, position)
        yield identity, body[position : position + size]
        position += size


def _number(body: bytes, position: int, keeps_marker: bool = False) -> "tuple[int, int]":
    """Return a variable-length number and the position after it."""
    length = 9 - body[position].bit_length()
    if length > 8:
        raise IndexError("not a number of Matroska")
    value = int.from_bytes(body[position : position + length], "big")
    return value if keeps_marker else value & ((1 << 7 * length) - 1), position + length


def _real(content: bytes) -> float:
    if not content:
        return 0.0
    return float(struct.unpack(">f" if len(content) == 4 else ">d", content)[0])
