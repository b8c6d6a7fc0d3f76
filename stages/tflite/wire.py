"""Packs facts and named tensors for a pipe: length of the JSON header, header, numbers.

Little-endian, row-major. Messages never contain code.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")

Message = Tuple[Dict[str, Any], "Dict[str, NDArray[Any]]"]


class Ended(Exception):
    """The other side has closed the pipe, between two messages or in the middle of one."""


def pack(facts: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a message."""
    arrays = {name: _little_endian(array) for name, array in tensors.items()}
    described = [[name, array.dtype.name, array.shape] for name, array in arrays.items()]
    header = json.dumps({"facts": facts, "tensors": described}).encode()
    numbers = [array.tobytes() for array in arrays.values()]
    return b"".join([_LENGTH.pack(len(header)), header, *numbers])


def unpack(read: Callable[[int], bytes]) -> Message:
    """Return the facts and tensors of the next message. `read(n)` returns n bytes, or fewer at the end.

    Ended: the stream ended early.
    """

    def exactly(size: int) -> bytes:
        data = read(size)
        if len(data) < size:
            raise Ended
        return data

    header = json.loads(exactly(_LENGTH.unpack(exactly(_LENGTH.size))[0]))
    tensors = {}
    for name, type_, shape in header["tensors"]:
        kind = np.dtype(type_).newbyteorder("<")
        data = exactly(int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
        tensors[name] = np.frombuffer(bytearray(data), kind).astype(type_).reshape(shape)
    return header["facts"], tensors


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array, array.dtype.newbyteorder("<"))
