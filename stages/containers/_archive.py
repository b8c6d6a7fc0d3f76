"""Writes an image as one tar that is both an OCI image layout and an archive for `docker load`, with
reproducible bytes.

Docker reads manifest.json, whose paths point to the layout's own blobs (image-layout.md
of the OCI image specification; image/v1.2 of Moby).
"""

import hashlib
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from stages.containers._download import digest_of
from stages.containers._platform import Platform

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed layer, and the description of its origin."""

    path: Path
    created_by: str


def write_archive(
    archive: Path,
    layers: Sequence[Layer],
    platform: Platform,
    settings: Mapping[str, Any],
    epoch: int,
) -> None:
    """Write the image with these layers, lowest first.

    settings: of the OCI configuration, such as `Env`, `User` and `Labels`
    """
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    digests = [digest_of(layer.path) for layer in layers]
    config = _json(
        {
            **platform.oci,
            "created": created,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
        }
    )
    described = [
        _descriptor(LAYER, digest, layer.path.stat().st_size)
        for digest, layer in zip(digests, layers, strict=True)
    ]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _of(CONFIG, config),
            "layers": described,
        }
    )
    index = {
        "schemaVersion": 2,
        "manifests": [{**_of(MANIFEST, manifest), "platform": platform.oci}],
    }
    docker = [
        {
            "Config": _blob(_sha256(config)),
            "RepoTags": None,
            "Layers": [_blob(digest) for digest in digests],
        }
    ]
    parts: dict[str, bytes | Path] = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json(index),
        "manifest.json": _json(docker),
        _blob(_sha256(config)): config,
        _blob(_sha256(manifest)): manifest,
        **{_blob(digest): layer.path for digest, layer in zip(digests, layers, strict=True)},
    }
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder in ("blobs", "blobs/sha256"):
            tar.addfile(_info(folder, tarfile.DIRTYPE, 0o755, 0, epoch))
        for name in sorted(parts):
            _add(tar, name, parts[name], epoch)


def _add(tar: tarfile.TarFile, name: str, part: bytes | Path, epoch: int) -> None:
    if isinstance(part, bytes):
        tar.addfile(_info(name, tarfile.REGTYPE, 0o644, len(part), epoch), BytesIO(part))
    else:
        with part.open("rb") as stream:
            tar.addfile(_info(name, tarfile.REGTYPE, 0o644, part.stat().st_size, epoch), stream)


def _info(name: str, kind: bytes, mode: int, size: int, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, size, epoch
    return info


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _of(kind: str, data: bytes) -> dict[str, Any]:
    return _descriptor(kind, _sha256(data), len(data))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
