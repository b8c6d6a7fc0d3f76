"""The run's log: JSON lines, appended and fsynced before anything shows them.

It is written by one engine and read by everyone, also while it grows and after a crash: a line counts when it is whole.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.events import SCHEMA_VERSION, Event

FILE_NAME = "journal.jsonl"


class Journal:
    """The open journal of a run; goes on after the last whole line of an existing one."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        whole = list(_whole(path.read_bytes()))
        os.ftruncate(self._file, sum(size for size, _ in whole))  # what is appended behind a damaged line is never read
        self._seq = whole[-1][1]["seq"] + 1 if whole else 0
        self._now = now

    def append(self, *events: Mapping[str, Any]) -> list[Event]:
        """Make the events durable, with one write and one fsync, and return them as they stand in the file."""
        stamped: list[Event] = [self._stamp(event) for event in events]
        data = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in stamped).encode()
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)
        return stamped

    def close(self) -> None:
        """Close the file; what was appended is on the disk already."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _stamp(self, event: Mapping[str, Any]) -> dict[str, Any]:
        seq, self._seq = self._seq, self._seq + 1
        return {"v": SCHEMA_VERSION, "seq": seq, "time": self._now(), **event}


class Follower:
    """A reader that asks again and again what is new."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def poll(self) -> list[Event]:
        """Return the whole events since the last call; none while the file does not exist."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return _parse(data)


def read(path: Path) -> list[Event]:
    """Return the journal's whole events; a last line that a crash tore off is left out."""
    return Follower(path).poll()


def _parse(data: bytes) -> list[Event]:
    """Return the events, without those of a newer version."""
    return [event for _, event in _whole(data) if event.get("v", 0) <= SCHEMA_VERSION]


def _whole(data: bytes) -> Iterator[tuple[int, Event]]:
    """Yield each event with its bytes, up to the first line that is none: what follows a damaged line has lost its context."""
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict) or "seq" not in event:
            return
        yield len(line), event
