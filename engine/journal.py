"""The run's journal: JSON lines, appended and fsynced before anything shows them.

One engine writes it, and anyone may read it, even while it grows and after a crash: only complete
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
_END_BYTES = 4096  # enough for a run's last event
_SURROGATES = re.compile("[\ud800-\udfff]+")


class Journal:
    """The open journal of a run; continues an existing one after its last complete line."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        whole = list(_whole(path.read_bytes()))
        os.ftruncate(
            self._file, sum(size for size, _ in whole)
        )  # events after a damaged line are never read
        self._seq = whole[-1][1]["seq"] + 1 if whole else 0
        self._now = now

    def append(self, *events: Mapping[str, object]) -> list[Event]:
        """Make the events durable, with one write and one fsync, and return them as written.

        Raise OSError if the write fails or the file was removed: the journal is then unchanged.
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
        except UnicodeEncodeError:  # a name that is not UTF-8 is escaped, in the file and on screen
            lines = [_SURROGATES.sub(_escaped, line) for line in lines]
            data, stamped = "".join(lines).encode(), [json.loads(line) for line in lines]
        try:
            self._write(data)
        except OSError:
            self._seq = before
            raise
        return list(stamped)

    def is_still_there(self) -> bool:
        """Return whether the file is still at its path: writes to a removed file succeed but are lost."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; all appended events are already on disk."""
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
        """Write everything or nothing: events after a partial line are never read."""
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
    """A reader that polls for new events.

    damage: why reading stopped, as a sentence; empty if it did not.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._lines = path, 0, 0
        self.damage = ""

    def poll(self, most_bytes: int = -1) -> list[Event]:
        """Return the complete events since the last call, up to the one that reaches `most_bytes`.

        Empty while the file does not exist, and after damage.
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
    """Return the journal's complete events.

    A last line that a crash cut off is left out, and so is everything after damage.
    """
    return Follower(path).poll()


def last_kind(path: Path) -> str | None:
    """Return the kind of the journal's last event, without reading the others; None if the last line
    is not an event.
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
    """Yield each event with its size in bytes, up to the first line that is not an event."""
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
