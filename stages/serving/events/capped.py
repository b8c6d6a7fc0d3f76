"""A folder of files with a limit on its size: the oldest files are removed, or new ones are refused.

A full disk does not end the server: it is reported once, and again when files can be stored again.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
PART = ".part"  # of a file that is being written
Say = Callable[[str], None]


class CappedFolder:
    """The files of one suffix in a folder and its subfolders; usable by several threads."""

    def __init__(
        self, folder: Path, limit_mb: float, suffix: str, say: Say, keeps_old: bool = False
    ) -> None:
        self.folder, self.limit_bytes, self.suffix = folder, int(limit_mb * 1e6), suffix
        self.failure = ""  # why the last file could not be stored
        self._say, self._keeps_old = say, keeps_old
        self._lock = threading.Lock()
        self._files: Optional[Dict[Path, Tuple[float, int]]] = None  # time and size
        self.removed: Callable[[str], None] = _ignore  # gets the name of each file that made room

    @property
    def size_bytes(self) -> int:
        """How much the files take."""
        with self._lock:
            return sum(size for _, size in self._found().values())

    def is_full(self, more_bytes: int = 0) -> bool:
        """Return whether these bytes do not fit without removing older files."""
        return self.size_bytes + more_bytes > self.limit_bytes

    def write(self, name: str, data: bytes) -> Optional[Path]:
        """Store a file; return its path, or None if that failed: see `failure`."""
        return self.add(name, len(data), lambda part: _write(part, data))

    def add(self, name: str, size_bytes: int, write: Callable[[Path], None]) -> Optional[Path]:
        """Store what `write` writes to the path that it is given; size_bytes: about its size."""
        path = self.folder / name
        part = path.with_name(f".{path.name}{PART}")
        try:
            self._make_room(size_bytes)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(part)
            with self._lock:
                part.replace(path)
                self._found()[path] = (time.time(), path.stat().st_size)
            self._make_room(0, besides=path)
        except OSError as error:
            with suppress(OSError):  # such as a disk that can only be read now
                part.unlink(missing_ok=True)
            self._fail(error.strerror or str(error))
            return None
        if self.failure:
            self._say(f"files can be stored in {self.folder} again")
        self.failure = ""
        return path

    def names(self) -> List[str]:
        """Return the names of all files, relative to the folder."""
        with self._lock:
            return sorted(path.relative_to(self.folder).as_posix() for path in self._found())

    def _fail(self, why: str) -> None:
        if why != self.failure:
            self._say(f"cannot store files in {self.folder}: {why}; the server continues without")
        self.failure = why

    def _make_room(self, more_bytes: int, besides: Optional[Path] = None) -> None:
        """Remove the oldest files until so much fits; raise OSError if it never will."""
        gone: List[Path] = []
        try:
            with self._lock:
                self._remove_oldest(more_bytes, besides, gone)
        finally:
            for path in gone:
                self.removed(path.relative_to(self.folder).as_posix())

    def _remove_oldest(self, more_bytes: int, besides: Optional[Path], gone: List[Path]) -> None:
        files = self._found()
        total = sum(size for _, size in files.values()) + more_bytes
        if total > self.limit_bytes and (self._keeps_old or more_bytes > self.limit_bytes):
            raise OSError(f"the limit of {self.limit_bytes / 1e6:g} MB is reached")
        for path in sorted(files, key=lambda one: files[one][0]):
            if total <= self.limit_bytes:
                return
            if path != besides:
                path.unlink(missing_ok=True)
                total -= files.pop(path)[1]
                gone.append(path)

    def _found(self) -> Dict[Path, Tuple[float, int]]:
        """Return all files; the first call looks for them, and removes incomplete ones."""
        if self._files is None:
            for part in self.folder.rglob(f".*{self.suffix}*"):
                with suppress(OSError):
                    part.unlink(missing_ok=True)
            self._files = {}
            for path in self.folder.rglob(f"*{self.suffix}"):
                with suppress(OSError):  # it has just been removed
                    found = path.stat()
                    self._files[path] = (found.st_mtime, found.st_size)
        return self._files


def safe(text: str) -> str:
    """Return the text as part of a file's name."""
    return UNSAFE.sub("-", text)[:40].strip("-") or "x"


def stamped(time_s: float, *parts: str) -> str:
    """Return a file's name without suffix: local time, then the parts."""
    return "-".join([time.strftime("%Y%m%d-%H%M%S", time.localtime(time_s)), *map(safe, parts)])


def _ignore(name: str) -> None:
    pass


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
