"""The run's log: JSON lines, appended and fsynced before anything shows them.

One engine writes it and everyone may read it, also while it grows and after a crash: only complete
lines count. Reading stops, with an error, at a complete line that is not an event, because later
lines have lost their context.
"""

import errno
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from engine import eventschema, handles
from engine.events import SCHEMA_VERSION
from engine.jsontypes import well_formed
from engine.vocabulary import Event

FILE_NAME = "journal.jsonl"
_END_BYTES = 4096  # in which a run's last event fits
_SURROGATES = re.compile("[\ud800-\udfff]+")


class Journal:
    """The open journal of a run; continues after the last whole line of an existing one."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        whole = list(_whole(path.read_bytes()))
        os.ftruncate(
            self._file, sum(size for size, _ in whole)
        )  # what is appended behind a damaged line is never read
        self._seq = whole[-1][1]["seq"] + 1 if whole else 0
        self._now = now

    def append(self, *events: Mapping[str, object]) -> list[Event]:
        """Make the events durable, with one write and one fsync, and return them as they stand in
        the file.

        OSError if the disk does not take them, or if the file was removed: the journal then ends
        where it ended before.
        """
        if not self.is_still_there():
            raise OSError(
                errno.ESTALE, "the run's journal was removed during the run", str(self._path)
            )
        before = self._seq
        stamped = [self._stamp(event) for event in events]
        lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in stamped]
        try:
            data = "".join(lines).encode()
        except (
            UnicodeEncodeError
        ):  # a name of bytes that are not UTF-8: it is written, and shown, in another form
            lines = [_SURROGATES.sub(_escaped, line) for line in lines]
            data, stamped = "".join(lines).encode(), [json.loads(line) for line in lines]
        try:
            self._write(data)
        except OSError:
            self._seq = before
            raise
        return list(stamped)

    def is_still_there(self) -> bool:
        """Return whether the file is still the one at its path: a removed file takes every event, and
        nobody reads them.
        """
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        """Write all, or nothing: what is appended behind half a line is never read."""
        size = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fdatasync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise

    def _stamp(self, event: Mapping[str, object]) -> dict[str, object]:
        seq, self._seq = self._seq, self._seq + 1
        return {"v": SCHEMA_VERSION, "seq": seq, "time": self._now(), **event}


class Follower:
    """A reader that asks again and again what is new.

    `damage`: what ended the reading, in a sentence; empty if nothing did.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._lines = path, 0, 0
        self.damage = ""

    def poll(self, most_bytes: int = -1) -> list[Event]:
        """Return the whole events since the last call, up to the one at which so many bytes are
        full.

        None while the file does not exist, and none beyond damage.
        """
        if self.damage:
            return []
        try:
            with open(handles.open_file(self._path), "rb") as file:
                file.seek(self._offset)
                data = file.read(most_bytes) + file.readline()
        except FileNotFoundError:
            return []
        except OSError as error:
            self.damage = f"its journal cannot be read: {error.strerror}"
            return []
        data = data[: data.rfind(b"\n") + 1]
        found = list(_whole(data))
        if sum(size for size, _ in found) < len(data):
            self.damage = (
                f"its journal is damaged: line {self._lines + len(found) + 1} is not an event"
            )
        self._offset += len(data)
        self._lines += len(found)
        return [event for _, event in found if event["v"] <= SCHEMA_VERSION]


def read(path: Path) -> list[Event]:
    """Return the journal's whole events.

    A last line that a crash tore off is left out, and what is behind damage.
    """
    return Follower(path).poll()


def last_kind(path: Path) -> str | None:
    """Return the kind of the journal's last event, without a look at the others; None if the last
    line is no event.
    """
    with open(handles.open_file(path), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
        lines = file.read(_END_BYTES).splitlines(keepends=True)
    if not lines or not lines[-1].endswith(b"\n"):
        return None
    try:
        kind = json.loads(lines[-1])["event"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return str(kind)


def _whole(data: bytes) -> Iterator[tuple[int, Event]]:
    """Yield each event with its bytes, up to the first line that is none."""
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        try:
            event = eventschema.checked(json.loads(line))
        except (ValueError, RecursionError):
            return
        if event is None:
            return
        yield len(line), event


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(well_formed(found[0]), ensure_ascii=False)[1:-1]
