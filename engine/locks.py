"""The locks of the engines that share a store, and the private folder of each engine.

    lock             shared by the engines at work; who cleans has it alone
    locks/<name>     held by the engine that does a job, or brings a file, that several may want
    work/<owner>/    the private folder of an engine at work, under its own lock

The kernel frees a lock with its process, however that ends.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from engine import handles

STALE_S = 3600.0  # a work folder that is still without its lock after this time has no engine


class Locks:
    """The locks of the store below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `clean` from the store: from planning on, a run counts on what it found there."""
        with self._lock_of_all() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Yield whether no engine uses the store; none begins to while this lasts."""
        with self._lock_of_all() as lock:
            yield _try_lock(lock)

    @contextmanager
    def alone(self, fingerprint: str) -> Iterator[bool]:
        """Yield whether this engine, of all that share the store, may do the job now.

        The kernel frees it on death.
        """
        path = self._root / "locks" / fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(path, os.O_CREAT) as lock:
            yield _try_lock(lock)

    @contextmanager
    def work(self, owner: str) -> Iterator[Path]:
        """Yield a private folder on the store's file system, locked while the engine lives, then
        removed.
        """
        hidden, folder = self._root / "work" / f".{owner}", self._root / "work" / owner
        hidden.mkdir(parents=True)
        with (hidden / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            hidden.rename(folder)  # seen by others only when it is locked
            try:
                yield folder
            finally:
                handles.remove(folder)

    def abandoned(self) -> list[str]:
        """Return the names of the engines that are gone and left their work folders."""
        return [folder.name for folder in self._abandoned()]

    def sweep(self) -> list[str]:
        """Remove the work folders whose engines are gone, and return those engines' names."""
        gone = []
        for folder in self._abandoned():
            aside = folder.with_name(f".gone-{uuid.uuid4().hex}")
            with suppress(
                OSError
            ):  # another engine sweeps too, and one of us renames it; or it is another user's
                folder.rename(aside)
                gone.append(folder.name)
        for leftover in self._leftovers():  # also of an engine that was killed while it swept
            handles.remove(leftover)
        return gone

    def is_at_work(self, owner: str) -> bool:
        """Return whether the engine of this name is alive."""
        lock = self._root / "work" / owner / "lock"
        return lock.exists() and not _is_unlocked(lock)

    def _abandoned(self) -> Iterator[Path]:
        yield from (
            folder
            for folder in sorted((self._root / "work").glob("[!.]*"))
            if _is_unlocked(folder / "lock")
        )

    def _leftovers(self) -> Iterator[Path]:
        """Yield the hidden work folders that no engine has: renamed to be removed, or never locked."""
        for folder in (self._root / "work").glob(".*"):
            with suppress(OSError):
                if (
                    folder.name.startswith(".gone-")
                    or time.time() - folder.stat().st_mtime > STALE_S
                ):
                    yield folder

    def _lock_of_all(self) -> IO[str]:
        self._root.mkdir(parents=True, exist_ok=True)
        return _opened(self._root / "lock", os.O_CREAT)


def _try_lock(lock: IO[str]) -> bool:
    """Take the lock if it is free, and say whether it is ours now; the kernel frees it with the
    file.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _is_unlocked(path: Path) -> bool:
    try:
        with _opened(path) as lock:
            return _try_lock(lock)
    except OSError:
        return False  # being made just now, or by hand


def _opened(path: Path, flags: int = 0) -> IO[str]:
    """Open a lock file: to write where that is allowed, since a network file system locks nothing
    else exclusively.
    """
    try:
        return open(handles.open_file(path, os.O_RDWR | flags), "r+")
    except PermissionError:
        return open(handles.open_file(path))  # another user's, which flock(2) locks all the same
