"""Read a tar from a container engine as a stream: neither the engine nor the stage behind it is
trusted.

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
)  # bytes; tarfile reads a long name or a pax header at once, whatever size it claims
_CHUNK = 1 << 16
_ENTRIES_MOST = 1_000_000
_HEADERS = 1 << 20  # bytes of a tar of one file that are not the file's
_SPARE = 1 << 26  # bytes of the disk that are left free
_UNSTORABLE = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EFBIG,
)
_BROKEN = (ValueError, RecursionError, KeyError, OverflowError)  # what tarfile raises on nonsense


class NotPlain(tarfile.FilterError):
    """What came is no tar of files and folders, or more than is allowed."""


class _Forward:
    """A tar as it comes, in the shape of the file that tarfile wants: it goes forward only, up to a
    limit.
    """

    def __init__(self, chunks: Iterator[bytes], most_bytes: int) -> None:
        self._chunks, self._most_bytes = chunks, most_bytes
        self._chunk, self._here = b"", 0  # what came last, and how much of it was read
        self._at = 0
        self.last = b""  # what was read last

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._at

    def seek(self, to: int) -> int:
        """Skip bytes; a header of a negative size would lead back, and round and round."""
        if to < self._at:
            raise NotPlain("its archive refers back to parts that were already read")
        while self._at < to and self.read(min(to - self._at, _AT_ONCE)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        """Return so many bytes, or what there is."""
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
    """Write out/ below a folder of the engine's own.

    NotPlain for what no artifact can hold, and more than the disk takes.
    """
    most_bytes = max(shutil.disk_usage(folder).free - _SPARE, 0)
    narrow: dict[Path, int] = {}  # folders that their owner may not write to, until all is in them
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
    """Yield a regular file's bytes, all but the first; nothing if it is none.

    NotPlain if it has more than are allowed.
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
    """Open the tar; whatever tarfile makes of nonsense is NotPlain."""
    data = _Forward(chunks, most_bytes)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], data), mode="r:") as tar:
            yield tar
    except _BROKEN as error:
        raise NotPlain(f"its archive cannot be read: {error!r}"[:300]) from None


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield each entry and forget it; NotPlain if the end is missing, which tarfile takes for an
    end.
    """
    while (entry := tar.next()) is not None:
        yield entry
        tar.members.clear()  # type: ignore[attr-defined]  # else a tar of millions of names fills the memory
    if cast(_Forward, tar.fileobj).last != bytes(tarfile.BLOCKSIZE):
        raise NotPlain("its archive is damaged or truncated")


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write one entry; a name that two of them have, or that the disk does not take, is the stage's
    mistake and not the link's.
    """
    path = folder / entry.name
    if entry.isdir() and path.is_dir():
        return
    if os.path.lexists(path):
        raise NotPlain(f"its archive contains {entry.name!a} twice")
    try:
        tar.extract(entry, folder, filter="fully_trusted")  # `_plain` has looked at it
    except (OSError, tarfile.ExtractError) as error:
        if isinstance(error, OSError) and error.errno not in _UNSTORABLE:
            raise
        raise NotPlain(
            f"its archive contains {entry.name!a}, which cannot be placed: {error}"[:300]
        ) from None


def _plain(entry: tarfile.TarInfo, most_bytes: int) -> tarfile.TarInfo:
    """Let nothing pass but files and folders of out/, at an ordinary depth.

    NotPlain for what no artifact can hold.
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
    nobody: Any = None  # tarfile's stubs know only numbers and names, its documentation None too
    return entry.replace(
        mode=entry.mode & 0o777, uid=nobody, gid=nobody, uname=nobody, gname=nobody, deep=False
    )
