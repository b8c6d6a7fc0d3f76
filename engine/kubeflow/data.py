"""Artifacts and assets where a cluster's pods can read them, stored once, by digest.

A file is stored as it is, a folder as one packed file (engine/stage/packing.py), since buckets have
neither empty folders nor modes. What is fetched is checked against its digest.
"""

import re
import tempfile
from pathlib import Path

from engine import digest as digests
from engine.errors import UserError
from engine.interfaces import Say
from engine.kubeflow.bucket import SCHEMES, WHERE, Bucket, Show
from engine.kubeflow.shared_folder import SharedFolder
from engine.stage import packing

BY_DIGEST = "by-digest"
_DIGEST = re.compile(r"(?:file|tree):([0-9a-f]{64})")
_SHOWN_BYTES = 10_000_000  # the progress of smaller transfers is not shown


class DataRoot:
    """kubeflow.data_root: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or a shared folder.

    Every method raises UserError if it cannot be reached, or denies access. say: shows the progress
    of large uploads and downloads. work: a folder for temporary files, instead of the system's.
    """

    def __init__(
        self, root: str, say: Say, timeout_s: float = 30.0, work: Path | None = None
    ) -> None:
        self.root, self._say, self._work = root, say, work
        self._objects = _objects(root, timeout_s)

    def uri(self, digest: str) -> str:
        """Return the address of the artifact with this digest, whether or not it is there."""
        return self._objects.uri(_key(digest))

    def has(self, digest: str) -> bool:
        """Return whether the artifact with this digest was stored."""
        return self._objects.size(_key(digest)) is not None

    def put(self, path: Path, digest: str) -> str:
        """Store a file or folder unless it is there, and return its address.

        Raise UserError if it has changed and no longer has this digest.
        """
        known = self._objects.size(_key(digest))
        if not packing.needs_packing(path):
            if known is None or known != path.stat().st_size:  # a damaged one is replaced
                self._upload_file(path, digest)
        elif known is None:
            self._upload_packed(path, digest)
        return self.uri(digest)

    def get(self, uri: str, path: Path, digest: str | None = None) -> str | None:
        """Fetch what `put` or a stage stored, to a path that does not exist; return its digest.

        None if there is nothing at the address. Raise UserError if it is damaged, or if a digest is
        given and it has another one; nothing is then left at the path.
        """
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            stored, unpacked = Path(folder) / "stored", Path(folder) / "unpacked"
            if not self._objects.download(self._key_of(uri), stored, self._shown(path.name)):
                return None
            try:
                found = _unpacked(stored, unpacked)
            except packing.Damaged as error:
                raise _damaged(uri, str(error)) from None
            if digest is not None and found != digest:
                raise _damaged(uri, f"its digest is {found[:17]}..., not {digest[:17]}...")
            unpacked.rename(path)
        return found

    def read(self, uri: str, most_bytes: int) -> bytes | None:
        """Return up to that many bytes of what is at an address; None if there is nothing."""
        return self._objects.read(self._key_of(uri), most_bytes)

    def glob(self, pattern: str) -> list[str]:
        """Return the addresses that match a shell pattern below the root, sorted."""
        return [self._objects.uri(key) for key in self._objects.find(pattern)]

    def remove(self, uri: str) -> None:
        """Remove what is at an address, such as a damaged artifact."""
        self._objects.remove(self._key_of(uri))

    def _upload_file(self, path: Path, digest: str) -> None:
        before = _facts(path)
        if digests.of(path) != digest:
            raise _changed(path)
        self._objects.upload(path, _key(digest), self._shown(path.name, "uploaded"))
        if _facts(path) != before:
            self._objects.remove(_key(digest))
            raise _changed(path)

    def _upload_packed(self, path: Path, digest: str) -> None:
        with tempfile.NamedTemporaryFile(dir=self._work) as file:
            try:
                found = packing.pack(path, file)
            except packing.Changed:
                raise _changed(path) from None
            if found != digest:
                raise _changed(path)
            file.flush()
            self._objects.upload(Path(file.name), _key(digest), self._shown(path.name, "uploaded"))

    def _key_of(self, uri: str) -> str:
        start = self._objects.uri("")
        if not uri.startswith(start) or ".." in uri.split("/"):
            raise UserError(uri, f"it is not below {WHERE}={self.root}", f"set {WHERE} to its root")
        return uri[len(start) :]

    def _shown(self, name: str, verb: str = "downloaded") -> Show:
        def show(done: int, total: int) -> None:
            if total >= _SHOWN_BYTES:
                self._say(name, done, total, verb)

        return show


def _objects(root: str, timeout_s: float) -> Bucket | SharedFolder:
    scheme, separator, _ = root.partition("://")
    if separator and scheme in SCHEMES:
        return Bucket(root, timeout_s)
    if separator and scheme != "file":
        fix = "write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or a folder"
        raise UserError(f"{WHERE}={root}", f"'{scheme}' is not supported", fix)
    return SharedFolder(root)


def _key(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError(f"not a digest: {digest}")
    return f"{BY_DIGEST}/{match[1]}"


def _unpacked(stored: Path, path: Path) -> str:
    """Unpack or move what was fetched; return its digest."""
    with stored.open("rb") as file:
        if packing.is_packed(file.read(packing.HEAD_BYTES)):
            file.seek(0)
            return packing.unpack(file, path)
    stored.chmod(0o644)
    stored.rename(path)
    return digests.of(path)


def _facts(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _changed(path: Path) -> UserError:
    what = "it changed while it was uploaded"
    return UserError(str(path), what, "repeat the command when nothing writes to it")


def _damaged(uri: str, why: str) -> UserError:
    return UserError(
        uri, f"what is stored there is damaged: {why}", "delete it, and repeat the command"
    )
