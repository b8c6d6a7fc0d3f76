"""Reads tables from an untrusted FlatBuffer: every offset is checked, and the amount of data read is
limited.

Layout: the internals page of the FlatBuffers documentation. It does not depend on a schema; fields are
identified by number.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import TypeVar

from engine.stage import StageError

MAX_TABLES = 100_000  # a real model has some thousands; a malicious vector may name one table a million times
MAX_SCALARS = 4_000_000
MAX_BYTES = 2**31  # the format's own limit: offsets are signed 32-bit integers

Number = TypeVar("Number", int, float)


class BadFile(StageError):
    """The file is invalid: truncated, overwritten, or malicious."""


class Blob:
    """The bytes of a FlatBuffer, and how many may still be read."""

    def __init__(self, data: bytes | mmap.mmap | memoryview, name: str) -> None:
        self.view, self.name = memoryview(data), name
        self._tables, self._scalars = MAX_TABLES, MAX_SCALARS

    def root(self) -> Table:
        return Table(self, self.offset(0))

    def unpack(self, form: str, at: int, count: int = 1) -> tuple[int | float, ...]:
        """Return the little-endian numbers at a position."""
        self._scalars -= count
        if self._scalars < 0:
            raise self.bad("it repeats itself endlessly")
        try:
            return struct.unpack_from(f"<{count}{form}", self.view, self.place(at))
        except struct.error:
            raise self.bad("it ends too early, or an offset leads outside it") from None

    def integer(self, form: str, at: int) -> int:
        return int(self.unpack(form, at)[0])

    def offset(self, at: int) -> int:
        """Return the target of the forward offset at this position.

        An offset must not be zero, so that nothing contains itself.
        """
        if (distance := self.integer("I", at)) < 4:
            raise self.bad("an offset leads nowhere")
        return at + distance

    def place(self, at: int) -> int:
        if not 0 <= at < len(self.view):
            raise self.bad("it ends too early, or an offset leads outside it")
        return at

    def slice(self, at: int, size: int) -> memoryview:
        if at < 0 or size < 0 or at + size > len(self.view):
            raise self.bad("it ends too early, or an offset leads outside it")
        return self.view[at : at + size]

    def count_table(self) -> None:
        self._tables -= 1
        if self._tables < 0:
            raise self.bad("it repeats itself endlessly")

    def bad(self, what: str) -> BadFile:
        return BadFile(f"{self.name} cannot be read: {what}")


class Table:
    """A table of a FlatBuffer; a missing field has its default."""

    def __init__(self, blob: Blob, at: int) -> None:
        blob.count_table()
        self.blob, self._at = blob, at
        self._vtable = at - blob.integer("i", at)
        size = blob.integer("H", self._vtable)
        if size < 4 or size % 2:
            raise blob.bad("a table has no valid layout")
        self._fields = blob.unpack("H", self._vtable + 4, (size - 4) // 2) if size > 4 else ()

    def number(self, field: int, form: str, default: Number) -> Number:
        """Return a scalar field; `form` is its format character in the module struct."""
        at = self._place(field)
        return type(default)(self.blob.unpack(form, at)[0]) if at else default

    def table(self, field: int) -> Table | None:
        at = self._place(field)
        return Table(self.blob, self.blob.offset(at)) if at else None

    def tables(self, field: int) -> list[Table]:
        """Return the tables of a vector; empty if it is missing."""
        start, count = self._vector(field, 4)
        return [Table(self.blob, self.blob.offset(start + 4 * at)) for at in range(count)]

    def numbers(self, field: int, form: str) -> tuple[int | float, ...]:
        start, count = self._vector(field, struct.calcsize(f"<{form}"))
        return self.blob.unpack(form, start, count) if count else ()

    def integers(self, field: int, form: str = "i") -> tuple[int, ...]:
        return tuple(int(number) for number in self.numbers(field, form))

    def bytes(self, field: int) -> memoryview:
        """Return a vector of bytes, without copying it."""
        start, count = self._vector(field, 1)
        return self.blob.slice(start, count)

    def text(self, field: int) -> str:
        """Return a string; invalid UTF-8 is replaced, and a long string is truncated."""
        return bytes(self.bytes(field)[:4096]).decode("utf-8", "replace")

    def blobs(self, field: int) -> list[memoryview]:
        """Return the byte strings of a vector, without copying them."""
        start, count = self._vector(field, 4)
        found = []
        for at in range(count):
            self.blob.count_table()
            place = self.blob.offset(start + 4 * at)
            found.append(self.blob.slice(place + 4, self.blob.integer("I", place)))
        return found

    def _place(self, field: int) -> int:
        """Return the position of the field, or 0."""
        distance = int(self._fields[field]) if field < len(self._fields) else 0
        return self._at + distance if distance else 0

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Return the position of a vector's first element and their number; all are inside the file."""
        at = self._place(field)
        if not at:
            return 0, 0
        start = self.blob.offset(at)
        count = self.blob.integer("I", start)
        self.blob.slice(start + 4, count * size)
        return start + 4, count


def open_blob(path: Path, what: str) -> Blob:
    """Return the file, mapped into memory so that only the used parts are read."""
    name = path.name
    if not path.is_file():
        raise BadFile(f"{name} is not a file")
    size = path.stat().st_size
    if not 8 <= size < MAX_BYTES:
        raise BadFile(f"{name} is not a {what}: it has {size:,} bytes")
    with path.open("rb") as file:
        return Blob(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), name)
