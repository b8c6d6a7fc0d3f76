"""Packs a folder as one tar for stores that keep neither empty folders nor modes, and unpacks it.

The tar is not compressed, and the same folder gives the same bytes. Its first member lists every
entry in the form of which engine/digest.py computes the digest of a folder, so the sha256 of the list
is the folder's digest, and each file is checked when it is unpacked. Standard library only.
"""

import hashlib
import io
import os
import stat
import tarfile
from contextlib import closing
from pathlib import Path
from typing import IO, Dict, Iterator, List, Optional, Set, Tuple, Union

MANIFEST = ".rpi-mlops-manifest"
HEAD_BYTES = 512  # what `is_packed` needs
_TREE, _FILE = b"tree/1\n", b"file/1\n"  # how manifests begin: of a folder, of a single file
_MANIFEST_BYTES = 256 << 20
_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, ValueError, KeyError, IndexError)
# an entry: path, and the sha256 of a file, None for an empty folder, or the folder that a link names
_Entry = Tuple[str, bytes, Optional[str]]


class Damaged(ValueError):
    """The archive is not what `pack` wrote."""


class Changed(OSError):
    """A file changed while it was packed."""


def is_packed(head: bytes) -> bool:
    """Return whether a file that begins with these bytes was written by `pack`."""
    name = MANIFEST.encode()
    return head[: len(name) + 1] == name + b"\0" and head[257:262] == b"ustar"


def needs_packing(path: Path) -> bool:
    """Return whether the path must be packed: a folder, or a file that looks as if it were packed."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return is_packed(file.read(HEAD_BYTES))


def pack(path: Path, out: IO[bytes]) -> str:
    """Write the folder or file as a tar, and return its digest.

    Links are followed. Raise Changed if a file changes meanwhile, and OSError for anything that is
    neither a file nor a folder.
    """
    with closing(
        tarfile.open(
            fileobj=out,
            mode="w",
            format=tarfile.PAX_FORMAT,
            encoding="utf-8",
            errors="surrogateescape",
        )
    ) as tar:
        if not path.is_dir():
            digest = _sha256(path)
            _add_bytes(tar, MANIFEST, _FILE + digest.encode())
            _add_file(tar, "file", path, digest)
            return "file:" + digest
        entries = list(_entries(path))
        manifest = _TREE + b"".join(map(_line, entries))
        _add_bytes(tar, MANIFEST, manifest)
        for name, kind, detail in entries:
            _add(tar, path, name, kind, detail)
        return "tree:" + hashlib.sha256(manifest).hexdigest()


def unpack(stream: IO[bytes], path: Path) -> str:
    """Write what `pack` packed to a path that does not exist, and return its digest.

    Raise Damaged if any byte differs from what was packed; the path may then exist in part.
    """
    try:
        with closing(
            tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape")
        ) as tar:
            manifest = _read_manifest(tar)
            if manifest.startswith(_FILE):
                digest = manifest[len(_FILE) :].decode("ascii")
                _write_file(tar, "file", path, digest, 0o644)
                return "file:" + digest
            path.mkdir()
            _unpack_folder(tar, path, _parsed(manifest))
            return "tree:" + hashlib.sha256(manifest).hexdigest()
    except _BROKEN as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged("the archive cannot be read: {}".format(error)) from None


def _entries(root: Path) -> Iterator[_Entry]:
    """Yield the entries in the order of engine/digest.py; enter each real folder only once."""
    first: Dict[Tuple[int, int], str] = {}
    above = [_identity(root.stat())]
    yield from _below(root, "", first, above)


def _below(
    folder: Path, prefix: str, first: Dict[Tuple[int, int], str], above: List[Tuple[int, int]]
) -> Iterator[_Entry]:
    for name in sorted(os.listdir(folder)):
        path, relative = folder / name, prefix + name
        status = path.stat()
        identity = _identity(status)
        if stat.S_ISREG(status.st_mode):
            kind = b"x" if status.st_mode & stat.S_IXUSR else b"-"
            yield relative, kind, _sha256(path)
        elif not stat.S_ISDIR(status.st_mode):
            raise OSError(0, "it is neither a file nor a folder", str(path))
        elif identity in above:
            raise OSError(0, "a symbolic link leads back to a folder above it", str(path))
        elif identity in first:
            yield relative, b"as", first[identity]
        else:
            first[identity] = relative
            if not os.listdir(path):
                yield relative, b"empty", None
            above.append(identity)
            yield from _below(path, relative + "/", first, above)
            above.pop()


def _identity(status: os.stat_result) -> Tuple[int, int]:
    return status.st_dev, status.st_ino


def _line(entry: _Entry) -> bytes:
    """Return an entry's line of the manifest, as engine/digest.py hashes it."""
    name, kind, detail = entry
    end = os.fsencode(name) + b"\0"
    if kind == b"empty":
        return b"empty " + end
    if kind == b"as":
        return b"as " + end + os.fsencode(detail or "") + b"\0"
    return kind + b" " + (detail or "").encode() + b" " + end


def _parsed(manifest: bytes) -> Iterator[_Entry]:
    """Yield the entries of a folder's manifest."""
    if not manifest.startswith(_TREE):
        raise Damaged("the archive has an unknown manifest")
    words = iter(manifest[len(_TREE) :].split(b"\0"))
    for word in words:
        kind, _, rest = word.partition(b" ")
        if not word:
            continue
        if kind == b"empty":
            yield _safe(rest), kind, None
        elif kind == b"as":
            yield _safe(rest), kind, _safe(next(words, b""))
        elif kind in (b"x", b"-"):
            digest, _, name = rest.partition(b" ")
            yield _safe(name), kind, digest.decode("ascii")
        else:
            raise Damaged("the archive has an unknown manifest")


def _safe(name: bytes) -> str:
    """Return a path of the manifest; refuse one that leaves the folder."""
    if any(part in (b"", b".", b"..") for part in name.split(b"/")):
        raise Damaged("the archive contains the path {!r}".format(name[:200]))
    return os.fsdecode(name)


def _add(tar: tarfile.TarFile, root: Path, name: str, kind: bytes, detail: Optional[str]) -> None:
    if kind == b"empty":
        info = _info(name, 0, 0o755)
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif kind == b"as":
        info = _info(name, 0, 0o777)
        info.type, info.linkname = tarfile.SYMTYPE, _link(name, detail or "")
        tar.addfile(info)
    else:
        _add_file(tar, name, root / name, detail or "", 0o755 if kind == b"x" else 0o644)


def _link(name: str, folder: str) -> str:
    """Return the target of a link at `name` to a folder of the same tree."""
    return os.path.relpath(folder, name.rpartition("/")[0] or ".")


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_info(name, len(data), 0o644), io.BytesIO(data))


def _add_file(tar: tarfile.TarFile, name: str, path: Path, digest: str, mode: int = 0o644) -> None:
    """Add a file; raise Changed unless it still has this digest."""
    with path.open("rb") as file:
        reader = _Reader(file)
        try:
            tar.addfile(_info(name, os.fstat(file.fileno()).st_size, mode), reader)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno:
                raise
            raise Changed(0, "it changed while it was read", str(path)) from None  # it is shorter
        if reader.sha256.hexdigest() != digest:
            raise Changed(0, "it changed while it was read", str(path))


def _info(name: str, size: int, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


class _Reader:
    """Reads a file, and hashes what it reads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def _read_manifest(tar: tarfile.TarFile) -> bytes:
    member = tar.next()
    if member is None or member.name != MANIFEST or not member.isreg():
        raise Damaged("the archive has no manifest")
    if member.size > _MANIFEST_BYTES:
        raise Damaged("the archive's manifest is too long")
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise Damaged("the archive is truncated")
    return data


def _unpack_folder(tar: tarfile.TarFile, root: Path, entries: Iterator[_Entry]) -> None:
    folders: Set[str] = {""}
    links: Set[str] = set()
    for name, kind, detail in entries:
        if links.intersection(_above(name)):
            raise Damaged("the archive contains a file below a link")
        path, above = root / name, name.rpartition("/")[0]
        if above not in folders:
            (root / above).mkdir(parents=True, exist_ok=True)
            folders.update(_above(name))
        if os.path.lexists(path):
            raise Damaged("the archive contains {!a} twice".format(name))
        if kind == b"empty":
            _next(tar, name)
            path.mkdir()
            folders.add(name)
        elif kind == b"as":
            if detail not in folders:
                raise Damaged("the archive contains a link to {!a}".format(detail))
            _next(tar, name)
            path.symlink_to(_link(name, detail), target_is_directory=True)
            links.add(name)
        else:
            _write_file(tar, name, path, detail or "", 0o755 if kind == b"x" else 0o644)
    if tar.next() is not None:
        raise Damaged("the archive contains more than its manifest lists")


def _above(name: str) -> List[str]:
    """Return the folders above the path, without the root."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _next(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = tar.next()
    tar.members = []  # type: ignore[attr-defined]  # a million of them would fill the memory
    if member is None:
        raise Damaged("the archive is truncated")
    if member.name.rstrip("/") != name:
        raise Damaged("the archive contains {!a} where {!a} belongs".format(member.name, name))
    return member


def _write_file(tar: tarfile.TarFile, name: str, path: Path, digest: str, mode: int) -> None:
    """Write the next member, which must be this file."""
    member = _next(tar, name)
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise Damaged("the archive contains {!a}, which is not a file".format(name))
    sha256 = hashlib.sha256()
    with path.open("xb") as out:
        while True:
            data = file.read(_CHUNK)
            if not data:
                break
            sha256.update(data)
            out.write(data)
    if sha256.hexdigest() != digest:
        raise Damaged("{!a} differs from what was packed".format(name))
    path.chmod(mode)


def _sha256(path: Union[str, Path]) -> str:
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for data in iter(lambda: file.read(_CHUNK), b""):
            sha256.update(data)
    return sha256.hexdigest()
