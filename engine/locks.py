"""The locks of the engines that share a store, and the private folder of each engine.

    lock             shared by running engines; `clean` holds it exclusively
    locks/<name>     held by the engine that runs a job, or fetches a file, that others may need too
    work/<owner>/    the private folder of a running engine, with its own lock

The kernel releases a lock when its process ends, however that happens.
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

STALE_S = 3600.0  # a work folder that has no lock after this time is abandoned


class Locks:
    """The locks of the store below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `clean` away from the store: from planning on, a run relies on what it found there."""
        with self._lock_of_all() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Yield whether the store is unused; no engine can start to use it inside the context."""
        with self._lock_of_all() as lock:
            yield _try_lock(lock)

    @contextmanager
    def alone(self, fingerprint: str) -> Iterator[bool]:
        """Yield whether this engine got the lock of the job, so that no other engine runs it.

        The kernel releases the lock if the engine dies.
        """
        path = self._root / "locks" / fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(path, os.O_CREAT) as lock:
            yield _try_lock(lock)

    @contextmanager
    def work(self, owner: str) -> Iterator[Path]:
        """Yield a private folder on the store's file system, locked while the engine runs, then removed."""
        hidden, folder = self._root / "work" / f".{owner}", self._root / "work" / owner
        hidden.mkdir(parents=True)
        with (hidden / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            hidden.rename(folder)  # visible to others only once it is locked
            try:
                yield folder
            finally:
                handles.remove(folder)

    def abandoned(self) -> list[str]:
        """Return the names of ended engines that left their work folders."""
        return [folder.name for folder in self._abandoned()]

    def sweep(self, prefix: str = "") -> list[str]:
        """Remove the work folders of ended engines, and return those engines' names.

        prefix: only of engines whose name begins so.
        """
        gone = []
        for folder in (one for one in self._abandoned() if one.name.startswith(prefix)):
            aside = folder.with_name(f".gone-{uuid.uuid4().hex}")
            with suppress(
                OSError
            ):  # another engine is sweeping too and renamed it first, or it belongs to another user
                folder.rename(aside)
                gone.append(folder.name)
        for (
            leftover
        ) in self._leftovers():  # including those of an engine that was killed while sweeping
            handles.remove(leftover)
        return gone

    def is_at_work(self, owner: str) -> bool:
        """Return whether the engine with this name is alive."""
        lock = self._root / "work" / owner / "lock"
        return lock.exists() and not is_unlocked(lock)

    def _abandoned(self) -> Iterator[Path]:
        yield from (
            folder
            for folder in sorted((self._root / "work").glob("[!.]*"))
            if is_unlocked(folder / "lock")
        )

    def _leftovers(self) -> Iterator[Path]:
        """Yield the hidden work folders without an engine: renamed for removal, or never locked."""
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
    """Acquire the lock if it is free, and return whether it is ours; closing the file releases it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@contextmanager
def waited_for(path: Path) -> Iterator[bool]:
    """Hold the lock on the file, created if necessary, once its holder has released it.

    Yield False, without a lock, if the file system has none.
    """
    with _opened(path, os.O_CREAT) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Yield whether this process got the lock on the existing file, which it then holds."""
    with _opened(path) as lock:
        yield _try_lock(lock)


def is_unlocked(path: Path) -> bool:
    """Return whether no process holds the lock on the file; False if the file cannot be opened."""
    try:
        with _opened(path) as lock:
            return _try_lock(lock)
    except OSError:
        return False  # still being created, or created by hand


def _opened(path: Path, flags: int = 0) -> IO[str]:
    """Open a lock file, for writing if allowed: a network file system requires that for an exclusive
    lock.
    """
    try:
        return open(handles.open_file(path, os.O_RDWR | flags), "r+")
    except PermissionError:
        return open(
            handles.open_file(path)
        )  # another user's file: flock(2) can lock it nevertheless
