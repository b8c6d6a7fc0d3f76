"""A file system that is only written as a tar, never to disk: sorted, owned by root, with reproducible
bytes.

Paths have no leading slash. Links in a path are followed inside the tree, as in a real root: if lib is
a link, a package's /lib/x is stored in usr/lib/x, and nothing can leave the tree.
"""

import errno
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from engine.stage import StageError

MAX_LINKS = 40  # like the kernel
# without set-user-ID and set-group-ID: every file belongs to root, and stages must not become root
PERMISSIONS = 0o1777
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


_UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@contextmanager
def unpacking() -> Iterator[None]:
    """Turn the standard library's errors for a damaged archive into a StageError.

    Errors of the system, such as a full disk, are not changed.
    """
    try:
        yield
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno not in (
            None,
            errno.EINVAL,
        ):  # EINVAL: an offset before the beginning
            raise
        raise StageError(f"a package cannot be unpacked: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A file, folder or symbolic link; the same entry under two paths is a hard link."""

    kind: bytes
    mode: int
    size: int = 0
    link: str = ""
    open: Callable[[], IO[bytes]] = BytesIO

    def read(self) -> bytes:
        """Return the bytes of a file."""
        with unpacking(), self.open() as stream:
            return stream.read()


FOLDER = Entry(tarfile.DIRTYPE, 0o755)


def file(data: bytes, mode: int = 0o644) -> Entry:
    """Return a file with these bytes."""
    return Entry(tarfile.REGTYPE, mode & PERMISSIONS, len(data), "", lambda: BytesIO(data))


def link(target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(tarfile.SYMTYPE, 0o777, link=target)


class Tree:
    """Paths and their entries.

    `below` is the tree of the lower layers, which is never changed.
    """

    def __init__(self, below: "Tree | None" = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.below = below

    def get(self, path: str) -> Entry | None:
        """Return the entry at exactly this path, in this tree or below."""
        return self.entries.get(path) or (self.below.get(path) if self.below else None)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at this path, following links; None if there is none."""
        entry = self.get(self.resolve(path))
        return entry.read() if entry and entry.kind == tarfile.REGTYPE else None

    def paths(self) -> set[str]:
        """Return every path, in this tree and below."""
        return self.entries.keys() | (self.below.paths() if self.below else set())

    def add(self, name: str, entry: Entry) -> str:
        """Add the entry at this path, following links, and return its actual path."""
        parts = inside(name)
        if not parts:
            return ""
        path = "/".join(filter(None, [self.resolve("/".join(parts[:-1])), parts[-1]]))
        if entry.kind == tarfile.DIRTYPE and self._is_folder(path):
            return path  # the folder, or a link to one, already exists: dpkg keeps both
        self._make_parents(path)
        self.entries[path] = entry
        return path

    def resolve(self, path: str) -> str:
        """Return the path with its links resolved inside the tree."""
        todo, done, links = list(reversed(inside(path))), [], 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = done[:-1]
                continue
            entry = self.get("/".join([*done, part]))
            if entry is None or entry.kind != tarfile.SYMTYPE:
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise StageError(f"'{path}' leads through a cycle of links")
            done = [] if entry.link.startswith("/") else done
            todo.extend(part for part in reversed(entry.link.split("/")) if part not in ("", "."))
        return "/".join(done)

    def overlay(self, layer: IO[bytes]) -> None:
        """Apply an image's layer, a tar with any compression, to this tree.

        Its whiteouts remove files.
        """
        for name, entry in members(layer):
            folder, _, last = name.rpartition("/")
            if last == OPAQUE:
                self._remove_inside(self.resolve(folder))
            elif last.startswith(WHITEOUT):
                path = "/".join(filter(None, [self.resolve(folder), last.removeprefix(WHITEOUT)]))
                self._remove_inside(path)
                self.entries.pop(path, None)
            else:
                self.add(name, entry)

    def write(self, out: IO[bytes], epoch: int) -> None:
        """Write the entries of this tree, not those below, as a tar."""
        first: dict[Entry, str] = {}
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(self.entries):
                entry = self.entries[path]
                info = tarfile.TarInfo(path)
                info.type, info.mode, info.linkname, info.mtime = (
                    entry.kind,
                    entry.mode,
                    entry.link,
                    epoch,
                )
                if entry is not FOLDER and entry in first:
                    info.type, info.linkname = tarfile.LNKTYPE, first[entry]
                first[entry] = path
                info.size = entry.size if info.type == tarfile.REGTYPE else 0
                _copy(tar, info, entry)

    def _is_folder(self, path: str) -> bool:
        entry = self.get(self.resolve(path))
        return entry is not None and entry.kind == tarfile.DIRTYPE

    def _make_parents(self, path: str) -> None:
        """Add every folder of a path: an engine creates folders that a layer does not list readable only
        for root.
        """
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            found = self.get(parent) or FOLDER
            if found.kind != tarfile.DIRTYPE:
                raise StageError(f"'{path}' is in '{parent}', which is not a folder")
            self.entries[parent] = found

    def _remove_inside(self, folder: str) -> None:
        for path in [
            path for path in self.entries if path.startswith(f"{folder}/" if folder else "")
        ]:
            del self.entries[path]


def _copy(tar: tarfile.TarFile, info: tarfile.TarInfo, entry: Entry) -> None:
    with unpacking(), entry.open() as stream:
        tar.addfile(info, stream if info.size else None)


def inside(name: str) -> list[str]:
    """Return the parts of a path in a package; refuse a path that leads out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise StageError(f"a path leaves its package: {name!r}")
    return parts


def members(archive: IO[bytes]) -> Iterator[tuple[str, Entry]]:
    """Yield the files, folders and links of a tar with any compression; leave out devices and the like."""
    seen: dict[str, Entry] = {}
    with unpacking(), tarfile.open(fileobj=archive, mode="r:*") as tar:
        for info in tar:
            entry = _entry(tar, info, seen)
            if entry:
                seen["/".join(inside(info.name))] = entry
                yield info.name, entry


def _entry(tar: tarfile.TarFile, info: tarfile.TarInfo, seen: dict[str, Entry]) -> Entry | None:
    if info.isdir():
        return Entry(tarfile.DIRTYPE, info.mode & PERMISSIONS)
    if info.issym():
        return link(info.linkname)
    if info.islnk():
        target = seen.get("/".join(inside(info.linkname)))
        if target is None:
            raise StageError(
                f"'{info.name}' is a hard link to '{info.linkname}', which does not exist"
            )
        return target
    stream = tar.extractfile(info) if info.isfile() else None
    return file(stream.read(), info.mode) if stream else None


def read_tree(path: Path, below: Tree | None = None) -> Tree:
    """Return the tree of an uncompressed tar that `write` made.

    The contents of files are read on demand.
    """
    tree = Tree(below)
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                if info.islnk():
                    entry = tree.entries[info.linkname]
                elif info.isreg():
                    entry = Entry(
                        info.type,
                        info.mode,
                        info.size,
                        "",
                        _slice(path, info.offset_data, info.size),
                    )
                else:
                    entry = Entry(info.type, info.mode, 0, info.linkname)
                tree.entries["/".join(inside(info.name))] = entry
    except (tarfile.TarError, KeyError, OSError) as error:
        raise StageError(f"{path.name} is not the tar of a root file system: {error}") from None
    return tree


def _slice(path: Path, offset: int, size: int) -> Callable[[], IO[bytes]]:
    def read() -> IO[bytes]:
        with path.open("rb") as stream:
            stream.seek(offset)
            return BytesIO(stream.read(size))

    return read


def epoch_of(path: Path) -> int:
    """Return the time that `write` gave to every file of a tar."""
    try:
        with tarfile.open(path, "r:") as tar:
            first = tar.next()
    except (tarfile.TarError, OSError) as error:
        raise StageError(f"{path.name} is not the tar of a root file system: {error}") from None
    if first is None:
        raise StageError(f"{path.name} is empty: a base must contain files")
    return int(first.mtime)
