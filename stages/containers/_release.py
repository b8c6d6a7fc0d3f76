"""Writes an image for publication: compressed layers, manifests and the manifest list, as an OCI layout
and as archives.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.stage import StageError
from stages.containers import _layout
from stages.containers._registry import OCI_INDEX, OCI_MANIFEST

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}\n'
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A blob of the layout and its media type."""

    kind: str
    digest: str
    size: int

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """Return its descriptor for manifests."""
        return {"mediaType": self.kind, "digest": self.digest, "size": self.size, **more}


@dataclass(frozen=True, slots=True)
class Release:
    """All parts: configurations and layers without duplicates, one manifest per platform, and their list."""

    blobs: tuple[Part, ...]
    manifests: tuple[Part, ...]
    index: Part


def write(
    layout: Path, name: str, tag: str, images: list[_layout.Image], compression: int
) -> Release:
    """Write the layout of all images; raise StageError if a layer does not match its digest."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # zlib releases the GIL
        jobs = [
            [pool.submit(_layer, image, layer, blobs, compression) for layer in image.layers]
            for image in images
        ]
        layers = [[job.result() for job in of_image] for of_image in jobs]
    configs = [_keep(blobs, _CONFIG, image.config_bytes) for image in images]
    manifests = [
        _keep(
            blobs,
            OCI_MANIFEST,
            _json(
                {
                    "schemaVersion": 2,
                    "mediaType": OCI_MANIFEST,
                    "config": config.descriptor(),
                    "layers": [layer.descriptor() for layer in below],
                }
            ),
        )
        for config, below in zip(configs, layers, strict=True)
    ]
    entries = [
        manifest.descriptor(platform=_platform(image))
        for manifest, image in zip(manifests, images, strict=True)
    ]
    index = _keep(
        blobs, OCI_INDEX, _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    )
    named = index.descriptor(annotations={_NAME: tag, "org.opencontainers.image.title": name})
    (layout / "oci-layout").write_bytes(_LAYOUT)
    (layout / "index.json").write_bytes(
        _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [named, *entries]})
    )
    parts = {
        part.digest: part for part in (*configs, *(layer for below in layers for layer in below))
    }
    return Release(tuple(parts.values()), tuple(manifests), index)


def write_archives(folder: Path, layout: Path, name: str, tag: str, release: Release) -> None:
    """Write each platform's image as one tar: a separate OCI layout that includes Docker's manifest.json."""
    folder.mkdir()
    entries = json.loads((layout / "blobs" / "sha256" / release.index.digest[7:]).read_bytes())[
        "manifests"
    ]
    for entry in entries:
        manifest = json.loads((layout / "blobs" / "sha256" / entry["digest"][7:]).read_bytes())
        parts = [entry, manifest["config"], *manifest["layers"]]
        paths = [f"blobs/sha256/{part['digest'][7:]}" for part in parts]
        docker = [{"Config": paths[1], "RepoTags": [f"{name}:{tag}"], "Layers": paths[2:]}]
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{**entry, "annotations": {_NAME: tag}}],
        }
        arch = entry["platform"]["architecture"] + entry["platform"].get("variant", "").replace(
            "v8", ""
        )
        with tarfile.open(folder / f"{name}-{arch}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for path, content in {
                "index.json": _json(index),
                "manifest.json": _json(docker),
                "oci-layout": _LAYOUT,
            }.items():
                _add(tar, path, io.BytesIO(content), len(content))
            for path in sorted(set(paths)):
                with (layout / path).open("rb") as stream:
                    _add(tar, path, stream, (layout / path).stat().st_size)


def _layer(
    image: _layout.Image, layer: tuple[str, int, str], blobs: Path, compression: int
) -> Part:
    """Verify a layer's digest, and store the layer compressed."""
    digest, _, kind = layer
    is_compressed = kind.endswith("gzip")
    if not (is_compressed or kind.endswith("tar")):
        raise StageError(
            f"{image.path.name} has a layer of type {kind}; only plain and gzip layers can "
            "be published"
        )
    partial, read, written, size = (
        blobs / f".{uuid.uuid4().hex}",
        hashlib.sha256(),
        hashlib.sha256(),
        0,
    )
    with _layout.blob(image, digest) as stream, partial.open("wb") as out:
        for chunk in (
            _chunks(stream, read)
            if is_compressed
            else _compressed(_chunks(stream, read), compression)
        ):
            written.update(chunk)
            size += out.write(chunk)
    if "sha256:" + read.hexdigest() != digest:
        raise StageError(
            f"a layer of {image.path.name} has a different digest than in its manifest"
        )
    partial.rename(blobs / written.hexdigest())
    return Part(_LAYER, f"sha256:{written.hexdigest()}", size)


def _chunks(stream: IO[bytes], read: Any) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        read.update(chunk)
        yield chunk


def _compressed(chunks: Iterator[bytes], level: int) -> Iterator[bytes]:
    """Yield the chunks as gzip, without a file name or a timestamp."""
    out = io.BytesIO()
    with closing(
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=out, mtime=0)
    ) as packer:
        for chunk in chunks:
            packer.write(chunk)
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _platform(image: _layout.Image) -> dict[str, str]:
    return {
        key: str(image.config[key])
        for key in ("architecture", "os", "variant")
        if image.config.get(key)
    }


def _keep(blobs: Path, kind: str, content: bytes) -> Part:
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return Part(kind, f"sha256:{digest}", len(content))


def _add(tar: tarfile.TarFile, path: str, stream: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o644
    tar.addfile(info, stream)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
