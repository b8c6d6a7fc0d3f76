"""Reads a tar from a container engine as a stream: neither the engine nor the stage is trusted.

Only the current entry is kept in memory, nothing is written outside the folder, and the number of
bytes is limited.
"""

import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from engine.sealing import MAX_DEPTH, MAX_PATH_BYTES

_AT_ONCE = (
    1 << 20
)  # bytes; tarfile reads a long name or a pax header in one piece, whatever its claimed size
_CHUNK = 1 << 16
_ENTRIES_MOST = 1_000_000
_HEADERS = 1 << 20  # bytes of overhead in the tar of a single file
_SPARE = 1 << 26  # bytes of disk space that stay free
_UNSTORABLE = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EFBIG,
)
_BROKEN = (
    ValueError,
    RecursionError,
    KeyError,
    OverflowError,
)  # what tarfile raises for invalid archives


class NotPlain(tarfile.FilterError):
    """The data is not a tar of files and folders, or exceeds a limit."""


class _Forward:
    """A stream as the file that tarfile needs: it can only be read forwards, up to a limit."""

    def __init__(self, chunks: Iterator[bytes], most_bytes: int) -> None:
        self._chunks, self._most_bytes = chunks, most_bytes
        self._chunk, self._here = b"", 0  # the current chunk, and how much of it was read
        self._at = 0
        self.last = b""  # the bytes read last

    def tell(self) -> int:
        """Return the number of bytes read so far."""
        return self._at

    def seek(self, to: int) -> int:
        """Skip bytes forwards; a header with a negative size would lead back, into an endless loop."""
        if to < self._at:
            raise NotPlain("its archive refers back to parts that were already read")
        while self._at < to and self.read(min(to - self._at, _AT_ONCE)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        if not 0 <= size <= _AT_ONCE:
            raise NotPlain(f"its archive has a header of {size:,} bytes")
        if self._at + size > self._most_bytes:
            raise NotPlain(
                f"it is larger than the {self._most_bytes:,} bytes that are free or allowed here"
            )
        parts: list[bytes] = []
        while size and (self._here < len(self._chunk) or self._go_on()):
            parts.append(self._chunk[self._here : self._here + size])
            self._here += len(parts[-1])
            size -= len(parts[-1])
        self.last = b"".join(parts)
        self._at += len(self.last)
        return self.last

    def _go_on(self) -> bool:
        self._chunk, self._here = next(self._chunks, b""), 0
        return bool(self._chunk)


def unpack(chunks: Iterator[bytes], folder: Path) -> None:
    """Extract out/ into one of the engine's own folders.

    Raise NotPlain for anything that an artifact cannot contain, and if the disk lacks space.
    """
    most_bytes = max(shutil.disk_usage(folder).free - _SPARE, 0)
    narrow: dict[
        Path, int
    ] = {}  # folders with a read-only mode, which is set once their contents are written
    with _opened(chunks, most_bytes) as tar:
        for count, entry in enumerate(_entries(tar)):
            if count > _ENTRIES_MOST:
                raise NotPlain(f"its outputs have more than {_ENTRIES_MOST:,} files")
            plain = _plain(entry, most_bytes)
            if plain.isdir() and plain.mode & 0o700 != 0o700:
                narrow[folder / plain.name] = plain.mode
                plain = plain.replace(mode=0o700, deep=False)
            _extract(tar, plain, folder)
    for path, mode in reversed(narrow.items()):
        path.chmod(mode)


def content(chunks: Iterator[bytes], most_bytes: int, skip_bytes: int = 0) -> Iterator[bytes]:
    """Yield a regular file's bytes after the first `skip_bytes`; nothing for anything else.

    Raise NotPlain if the file is larger than `most_bytes`.
    """
    with _opened(chunks, most_bytes + _HEADERS) as tar:
        entry = tar.next()
        if entry is None or not entry.isreg() or entry.issparse():
            return
        if not 0 <= entry.size <= most_bytes:
            raise NotPlain(f"it has {entry.size:,} bytes, more than {most_bytes:,}")
        data, end = cast(_Forward, tar.fileobj), entry.offset_data + entry.size
        data.seek(min(entry.offset_data + skip_bytes, end))
        while chunk := data.read(min(end - data.tell(), _CHUNK)):
            yield chunk


@contextmanager
def _opened(chunks: Iterator[bytes], most_bytes: int) -> Iterator[tarfile.TarFile]:
    """Open the tar; turn tarfile's errors on invalid data into NotPlain."""
    data = _Forward(chunks, most_bytes)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], data), mode="r:") as tar:
            yield tar
    except _BROKEN as error:
        raise NotPlain(f"its archive cannot be read: {error!r}"[:300]) from None


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield each entry, then forget it; raise NotPlain if the end marker is missing, as tarfile does not."""
    while (entry := tar.next()) is not None:
        yield entry
        tar.members.clear()  # type: ignore[attr-defined]  # otherwise a tar with millions of names would fill the memory
    if cast(_Forward, tar.fileobj).last != bytes(tarfile.BLOCKSIZE):
        raise NotPlain("its archive is damaged or truncated")


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write one entry; a duplicate name, or one that the disk does not accept, is the stage's fault, not
    the connection's.
    """
    path = folder / entry.name
    if entry.isdir() and path.is_dir():
        return
    if os.path.lexists(path):
        raise NotPlain(f"its archive contains {entry.name!a} twice")
    try:
        tar.extract(entry, folder, filter="fully_trusted")  # `_plain` has checked it
    except (OSError, tarfile.ExtractError) as error:
        if isinstance(error, OSError) and error.errno not in _UNSTORABLE:
            raise
        raise NotPlain(
            f"its archive contains {entry.name!a}, which cannot be placed: {error}"[:300]
        ) from None


def _plain(entry: tarfile.TarInfo, most_bytes: int) -> tarfile.TarInfo:
    """Return the entry if it is a file or folder below out/, with a limited depth.

    Raise NotPlain for anything that an artifact cannot contain.
    """
    inside = entry.name.split("/")
    shown = "/".join(inside[1:])
    if inside[0] != "out" or ".." in inside or (len(inside) == 1 and not entry.isdir()):
        raise NotPlain("its folder out/ was replaced")
    if entry.issym():
        raise NotPlain(
            f"output '{inside[1]}' contains a symbolic link, {shown} -> {entry.linkname}; "
            "write the file itself"
        )
    is_own = (
        entry.islnk()
        and entry.linkname.startswith("out/")
        and ".." not in entry.linkname.split("/")
    )
    if entry.issparse() or not (entry.isreg() or entry.isdir() or is_own):
        raise NotPlain(
            f"output '{inside[1]}' contains {shown}, which is neither a file nor a folder"
        )
    if len(inside) > MAX_DEPTH or len(os.fsencode(entry.name)) > MAX_PATH_BYTES:
        raise NotPlain(
            f"an output contains folders nested more than {MAX_DEPTH} deep, or a path of "
            f"more than {MAX_PATH_BYTES} bytes"
        )
    if len(inside) > 1 and not 0 <= entry.size <= most_bytes:
        raise NotPlain(
            f"output '{inside[1]}' contains {shown} of {entry.size:,} bytes, more than its "
            f"disk has free: {most_bytes:,}"
        )
    nobody: Any = None  # tarfile accepts None, as documented, but its stubs do not
    return entry.replace(
        mode=entry.mode & 0o777, uid=nobody, gid=nobody, uname=nobody, gname=nobody, deep=False
    )
