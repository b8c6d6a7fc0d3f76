"""Digests of files and folders, cached per (device, inode, mtime, ctime, size) so that unchanged data
costs only a stat.

`file:<sha256 of the bytes>`, or `tree:<sha256 of a sorted list of relative path, executable bit and
file digest>`. An empty folder is one line in that list. So is a folder that links reach again: the
line names the path where it was first reached.
"""

import errno
import fcntl
import hashlib
import os
import signal
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine import ordinary
from engine.errors import UserError

_CHUNK = 1 << 20
_F_SETSIG = 10  # linux/fcntl.h
# a file changed within this time may change again with the same mtime: read it next time
_SETTLED_NS = 100_000_000


class DigestCache:
    """A cache of file digests on disk; safe to delete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[int, int], tuple[int, int, int, str]] | None = None
        self._fresh: dict[tuple[int, int], tuple[int, int, int, str]] = {}

    def of(self, path: Path) -> str:
        """Return the digest of a user's file or folder, reading only files that are not cached."""
        digest = _digest(path, self._file_sha256)
        self._save()
        return digest

    def of_files(self, expected: Mapping[Path, str]) -> bool:
        """Return whether every file exists and has its sha256."""
        try:
            whole = all(
                self._file_sha256(path, path.stat()) == sha256 for path, sha256 in expected.items()
            )
        except OSError:
            return False
        self._save()
        return whole

    def _file_sha256(self, path: Path, status: os.stat_result) -> str:
        if self._known is None:
            self._known = self._load()
        key, facts = (
            (status.st_dev, status.st_ino),
            (status.st_mtime_ns, status.st_ctime_ns, status.st_size),
        )
        found = self._known.get(key)
        if found and found[:3] == facts:
            return found[3]
        is_being_written = _is_open_for_writing(path)
        digest = sha256_of(path)
        if time.time_ns() - max(facts[0], facts[1]) > _SETTLED_NS and not is_being_written:
            self._known[key] = self._fresh[key] = (*facts, digest)
        return digest

    def _load(self) -> dict[tuple[int, int], tuple[int, int, int, str]]:
        try:
            with closing(self._connection()) as database:
                rows = database.execute(
                    "SELECT device, inode, mtime, ctime, size, sha256 FROM digest"
                ).fetchall()
        except (sqlite3.Error, OSError):
            return {}
        return {(int(r[0]), int(r[1])): (r[2], r[3], r[4], r[5]) for r in rows}

    def _save(self) -> None:
        if not self._fresh:
            return
        rows = [(str(key[0]), str(key[1]), *facts) for key, facts in self._fresh.items()]
        try:
            with closing(self._connection()) as database, database:
                database.executemany(
                    "INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?)", rows
                )
        except (sqlite3.Error, OSError):
            return  # only a cache: files that it cannot store are read again
        self._fresh.clear()

    def _connection(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=5)
        database.execute(
            "CREATE TABLE IF NOT EXISTS digest (device TEXT, inode TEXT, mtime INTEGER, ctime INTEGER,"
            " size INTEGER, sha256 TEXT, PRIMARY KEY (device, inode))"
        )
        return database


def of(path: Path) -> str:
    """Return the digest of a file or folder, reading every byte.

    Raise UserError for anything that an artifact cannot contain.
    """
    return _digest(path, lambda file, _: sha256_of(file))


def declared(sha256s: Mapping[str, str]) -> str:
    """Return the digest that a folder of these files will have: relative path -> sha256."""
    tree = hashlib.sha256(b"tree/1\n")
    for name in sorted(sha256s, key=lambda path: path.split("/")):
        tree.update(f"- {sha256s[name]} ".encode() + os.fsencode(name) + b"\0")
    return f"tree:{tree.hexdigest()}"


def sha256_of(path: Path) -> str:
    """Return the sha256 of the file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with ordinary.opened(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _is_open_for_writing(path: Path) -> bool:
    """Return whether a process has the file open for writing, as far as this user may know.

    A dirty page of a memory mapping can be written to again without a new mtime. The kernel refuses
    a read lease on such a file: fcntl(2), F_SETLEASE. A mapping made later does change the mtime.
    """
    with ordinary.opened(path) as file:
        try:
            fcntl.fcntl(
                file, _F_SETSIG, signal.SIGURG
            )  # ignored: a process that opens the file at this moment breaks the lease
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
    return False


def files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below the folder by relative path, sorted; enter each real folder only once.

    Refuse devices and loops.
    """
    return ((name, found) for name, found in _entries(folder) if isinstance(found, os.stat_result))


@dataclass(slots=True)
class _Level:
    """A folder that the walk has entered."""

    folder: Path
    prefix: str
    identity: tuple[int, int]
    names: Iterator[str]


def _entries(root: Path) -> Iterator[tuple[str, os.stat_result | str | None]]:
    """Yield sorted relative paths, with a file's status, None for an empty folder, or, for a folder
    that was reached before, its first path.
    """
    status = root.stat()
    top = (status.st_dev, status.st_ino)
    levels, above = [_Level(root, "", top, iter(sorted(os.listdir(root))))], {top}
    first: dict[tuple[int, int], str] = {}
    while levels:
        level = levels[-1]
        name = next(level.names, None)
        if name is None:
            above.remove(levels.pop().identity)
            continue
        path, relative = level.folder / name, level.prefix + name
        status = _facts(path)
        if stat.S_ISREG(status.st_mode):
            yield relative, status
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise UserError(
                str(path), "a symbolic link leads back to a folder above it", "remove the link"
            )
        if identity in first:
            yield relative, first[identity]
            continue
        first[identity], names = relative, sorted(os.listdir(path))
        if not names:
            yield relative, None
        above.add(identity)
        levels.append(_Level(path, f"{relative}/", identity, iter(names)))


def _facts(path: Path) -> os.stat_result:
    """Return the status of a file or folder; raise UserError for anything else."""
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(
            str(path), f"it cannot be read: {error.strerror}", "remove it, or fix the link"
        ) from None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UserError(
            str(path),
            "it is neither a file nor a folder",
            "remove it: artifacts and assets may contain only files and folders",
        )
    ordinary.refuse_kernels(str(path), status)
    return status


def _digest(path: Path, file_sha256: Callable[[Path, os.stat_result], str]) -> str:
    try:
        status = path.stat()
        ordinary.check(str(path), status)
        if stat.S_ISREG(status.st_mode):
            return f"file:{file_sha256(path, status)}"
        tree = hashlib.sha256(b"tree/1\n")
        for name, found in _entries(path):
            tree.update(_line(path, name, found, file_sha256))
        return f"tree:{tree.hexdigest()}"
    except OSError as error:
        raise UserError(
            str(error.filename or path),
            f"it cannot be read: {error.strerror}",
            "check the path and its permissions",
        ) from None


def _line(
    root: Path,
    name: str,
    found: os.stat_result | str | None,
    file_sha256: Callable[[Path, os.stat_result], str],
) -> bytes:
    """Return an entry's line. Its first word is the kind of entry; a NUL ends it, as no name has one."""
    encoded = os.fsencode(name) + b"\0"
    if found is None:
        return b"empty " + encoded
    if isinstance(found, str):
        return b"as " + encoded + os.fsencode(found) + b"\0"
    executable = "x" if found.st_mode & stat.S_IXUSR else "-"
    return f"{executable} {file_sha256(root / name, found)} ".encode() + encoded


def refuse_endless(where: str, path: Path) -> None:
    """Raise UserError if reading the path, or any file below it, might never end."""
    ordinary.check(where, path.stat())
    for _ in files(path) if path.is_dir() else ():
        continue
