"""Digests of files and folders, remembered per (device, inode, mtime, ctime, size) so that unchanged data costs a stat.

`file:<sha256 of the bytes>`, or `tree:<sha256 of a sorted list of relative path, executable bit and file digest>`.
"""

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from engine.errors import UserError

_CHUNK = 1 << 20
_SETTLED_NS = 100_000_000  # a file changed within this time may change again with the same mtime: read it next time


class DigestCache:
    """The digests of files that were read before; safe to delete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[int, int], tuple[int, int, int, str]] | None = None
        self._fresh: dict[tuple[int, int], tuple[int, int, int, str]] = {}

    def of(self, path: Path) -> str:
        """Return the digest of a file or a folder of the user's, reading only what is not known."""
        digest = _digest(path, self._file_sha256)
        self._save()
        return digest

    def of_files(self, expected: Mapping[Path, str]) -> bool:
        """Say whether every file is there with its sha256."""
        try:
            whole = all(self._file_sha256(path, path.stat()) == sha256 for path, sha256 in expected.items())
        except OSError:
            return False
        self._save()
        return whole

    def _file_sha256(self, path: Path, status: os.stat_result) -> str:
        if self._known is None:
            self._known = self._load()
        key, facts = (status.st_dev, status.st_ino), (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        found = self._known.get(key)
        if found and found[:3] == facts:
            return found[3]
        digest = sha256_of(path)
        if time.time_ns() - max(facts[0], facts[1]) > _SETTLED_NS:
            self._known[key] = self._fresh[key] = (*facts, digest)
        return digest

    def _load(self) -> dict[tuple[int, int], tuple[int, int, int, str]]:
        try:
            with closing(self._connection()) as database:
                rows = database.execute("SELECT device, inode, mtime, ctime, size, sha256 FROM digest").fetchall()
        except (sqlite3.Error, OSError):
            return {}
        return {(int(r[0]), int(r[1])): (r[2], r[3], r[4], r[5]) for r in rows}

    def _save(self) -> None:
        if not self._fresh:
            return
        rows = [(str(key[0]), str(key[1]), *facts) for key, facts in self._fresh.items()]
        try:
            with closing(self._connection()) as database, database:
                database.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?)", rows)
        except (sqlite3.Error, OSError):
            return  # a cache: what it cannot keep is read again
        self._fresh.clear()

    def _connection(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=5)
        database.execute("CREATE TABLE IF NOT EXISTS digest (device TEXT, inode TEXT, mtime INTEGER, ctime INTEGER,"
                         " size INTEGER, sha256 TEXT, PRIMARY KEY (device, inode))")  # fmt: skip
        return database


def of(path: Path) -> str:
    """Return the digest of a file or folder, reading every byte; UserError for what an artifact cannot hold."""
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
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below the folder by relative path, sorted, folders followed but once; refuse devices and loops."""
    yield from _files(folder, "", ())


def _files(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, os.stat_result]]:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise UserError(str(folder), "a symbolic link leads back to a folder above it", "remove the link")
    for name in sorted(os.listdir(folder)):
        path = folder / name
        try:
            status = path.stat()
        except OSError as error:
            raise UserError(str(path), f"it cannot be read: {error.strerror}", "remove it, or mend the link") from None
        if stat.S_ISDIR(status.st_mode):
            yield from _files(path, f"{prefix}{name}/", (*above, here))
        elif stat.S_ISREG(status.st_mode):
            yield prefix + name, status
        else:
            raise UserError(str(path), "it is neither a file nor a folder", "remove it: artifacts and assets hold files and folders")


def _digest(path: Path, file_sha256: Callable[[Path, os.stat_result], str]) -> str:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            return f"file:{file_sha256(path, status)}"
        if not stat.S_ISDIR(status.st_mode):
            raise UserError(str(path), "it is neither a file nor a folder", "give a file or a folder")
        tree = hashlib.sha256(b"tree/1\n")
        for name, facts in files(path):
            executable = "x" if facts.st_mode & stat.S_IXUSR else "-"
            line = f"{executable} {file_sha256(path / name, facts)} ".encode() + os.fsencode(name) + b"\0"
            tree.update(line)
        return f"tree:{tree.hexdigest()}"
    except OSError as error:
        raise UserError(str(error.filename or path), f"it cannot be read: {error.strerror}", "check the path and its permissions") from None
