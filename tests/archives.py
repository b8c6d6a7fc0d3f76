"""Small image archives for tests, in the layout of the stage `build`."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PLATFORMS: dict[str, dict[str, str]] = {
    "linux/amd64": {"architecture": "amd64", "os": "linux"},
    "linux/arm64": {"architecture": "arm64", "os": "linux"},
    "linux/arm/v7": {"architecture": "arm", "variant": "v7", "os": "linux"},
}


def layer(files: Mapping[str, bytes | str]) -> bytes:
    """Return a layer; bytes are a file, executable for all, and a str is the target of a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def write(
    path: Path,
    layers: Iterable[bytes],
    on: str = "linux/amd64",
    *,
    diff_ids: list[str] | None = None,
    **config: Any,
) -> Path:
    """Write the archive of an image with these layers, in the layout of the stage `build`."""
    layers = list(layers)
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }

    descriptors = [blob(content, "layer.v1.tar") for content in layers]
    about = {
        **PLATFORMS[on],
        "created": "2026-01-02T03:04:05Z",
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": diff_ids or [each["digest"] for each in descriptors],
        },
    }
    settings = blob(json.dumps(about).encode(), "config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": settings,
        "layers": descriptors,
    }
    index = {
        "schemaVersion": 2,
        "manifests": [
            {**blob(json.dumps(manifest).encode(), "manifest.v1+json"), "platform": PLATFORMS[on]}
        ],
    }
    docker = [
        {
            "Config": f"blobs/sha256/{settings['digest'][7:]}",
            "RepoTags": None,
            "Layers": [f"blobs/sha256/{each['digest'][7:]}" for each in descriptors],
        }
    ]
    members = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        "manifest.json": json.dumps(docker).encode(),
        **{f"blobs/sha256/{digest}": content for digest, content in blobs.items()},
    }
    path.write_bytes(layer(members))
    return path
