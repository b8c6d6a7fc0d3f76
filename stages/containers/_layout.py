"""Reads an image archive: one tar with an OCI image layout of one image.

Nothing is unpacked to disk.
"""

import hashlib
import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.stage import StageError
from engine.stage.platforms import PLATFORMS

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_JSON_BYTES = 4 << 20
_FILE_BYTES = 64 << 20
_MAX_LINKS = 40  # like the kernel
_CHUNK = 1 << 20
_UNREADABLE = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Image:
    """The image of an archive; layers are (digest, size, media type), the lowest first."""

    path: Path
    digest: str  # of the manifest
    config_digest: str
    config: dict[str, Any]
    config_bytes: bytes
    layers: tuple[tuple[str, int, str], ...]

    @property
    def platform(self) -> str:
        """Return the platform, such as linux/arm/v7; arm64's only variant, v8, is omitted."""
        variant = self.config.get("variant") if self.config.get("variant") != "v8" else None
        return "/".join(
            str(part)
            for part in (self.config.get("os"), self.config.get("architecture"), variant)
            if part
        )

    @property
    def arch(self) -> str:
        """Return the platform's name in lock files: amd64, arm64 or armv7."""
        known = PLATFORMS.get(self.platform)
        return known.arch if known else str(self.config.get("architecture"))

    @property
    def created_s(self) -> int:
        """Return the image's time, which comes from SOURCE_DATE_EPOCH; 0 if it has none."""
        from datetime import datetime

        try:
            return int(
                datetime.fromisoformat(
                    str(self.config.get("created")).replace("Z", "+00:00")
                ).timestamp()
            )
        except (ValueError, OverflowError):
            return 0


def read(path: Path) -> Image:
    """Return the image of the archive; raise StageError unless it contains exactly one."""
    try:
        with tarfile.open(path, "r:") as tar:
            index = json.loads(_member(tar, "index.json"))
            manifests = index["manifests"]
            if len(manifests) != 1:
                raise StageError(f"{path.name} contains {len(manifests)} images, not one")
            digest = _checked(manifests[0]["digest"])
            manifest = json.loads(_blob(tar, digest))
            config_digest = _checked(manifest["config"]["digest"])
            content = _blob(tar, config_digest)
            layers = tuple(
                (_checked(layer["digest"]), int(layer["size"]), str(layer["mediaType"]))
                for layer in manifest["layers"]
            )
            config = json.loads(content)
            if not isinstance(config, dict) or len(config["rootfs"]["diff_ids"]) != len(layers):
                raise StageError(f"{path.name} has a configuration that does not fit its layers")
            return Image(path, digest, config_digest, config, content, layers)
    except _UNREADABLE as error:
        raise StageError(
            f"{path.name} is not an image archive: {error or type(error).__name__}"
        ) from None


@contextmanager
def blob(image: Image, digest: str) -> Iterator[IO[bytes]]:
    """Open a blob of the archive, without checking its digest."""
    try:
        with tarfile.open(image.path, "r:") as tar:
            stream = tar.extractfile(f"blobs/sha256/{digest[7:]}")
            if stream is None:
                raise KeyError(digest)
            yield stream
    except (tarfile.TarError, KeyError) as error:
        raise StageError(
            f"{image.path.name} lacks parts of its manifest, or is truncated: {error}"
        ) from None


def files(image: Image, wanted: re.Pattern[str], head: int | None = None) -> dict[str, bytes | str]:
    """Return the image's files whose full path matches: their first bytes or, for a symbolic link, its
    target as a str.

    Paths have no leading slash. Files that a higher layer overwrites or whites out are missing.
    """
    found: dict[str, bytes | str] = {}
    for digest, _, _ in image.layers:
        try:
            with blob(image, digest) as stream, tarfile.open(fileobj=stream, mode="r:*") as layer:
                for member in layer:
                    _take(layer, member, wanted, head, found)
        except _UNREADABLE as error:
            raise StageError(
                f"a layer of {image.path.name} cannot be read: {error or type(error).__name__}"
            ) from None
    return found


def follow(found: dict[str, bytes | str], path: str) -> bytes | None:
    """Return the bytes at the path, following symbolic links; None if there is no file."""
    for _ in range(_MAX_LINKS):
        at = found.get(path)
        if not isinstance(at, str):
            return at
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), at)).lstrip("/")
    return None


def _take(
    layer: tarfile.TarFile,
    member: tarfile.TarInfo,
    wanted: re.Pattern[str],
    head: int | None,
    found: dict[str, bytes | str],
) -> None:
    path = posixpath.normpath("/" + member.name).lstrip("/")
    folder, _, name = path.rpartition("/")
    if name.startswith(".wh."):
        gone = folder if name == ".wh..wh..opq" else f"{folder}/{name[4:]}".lstrip("/")
        for each in [each for each in found if each == gone or each.startswith(f"{gone}/")]:
            del found[each]
    elif wanted.fullmatch(path) and member.issym():
        found[path] = member.linkname
    elif wanted.fullmatch(path) and (member.isreg() or member.islnk()):
        if head is None and member.size > _FILE_BYTES:
            raise StageError(f"{path} has {member.size:,} bytes, which is too long for such a file")
        stream = layer.extractfile(member)
        found[path] = stream.read(_FILE_BYTES if head is None else head) if stream else b""


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise StageError(f"{name} is not a file")
    content = stream.read(_JSON_BYTES + 1)
    if len(content) > _JSON_BYTES:
        raise StageError(f"{name} is longer than {_JSON_BYTES:,} bytes")
    return content


def _blob(tar: tarfile.TarFile, digest: str) -> bytes:
    content = _member(tar, f"blobs/sha256/{digest[7:]}")
    if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
        raise StageError(f"the blob {digest[:19]}... has a different digest than its name")
    return content


def _checked(digest: Any) -> str:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise StageError(f"{str(digest)[:80]!r} is not a sha256 digest")
    return digest
