"""An image whose base is compressed already, with the code added, and what its registry has of it."""

import gzip
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.containers import _baked, _layout
from stages.containers._download import digest_of
from stages.containers._registry import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Repository,
)
from stages.containers._registry import (
    digest_of as digest_of_bytes,
)

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class Assembled:
    """The image's manifest, the digest of its configuration, and its blobs by digest."""

    manifest: bytes
    config_digest: str
    blobs: Mapping[str, Path]


class Pushing(Repository):
    """A repository to which images are pushed under tags that never move."""

    def under(self, tag: str) -> bytes | None:
        """Return the manifest under the tag; None if there is none."""
        accept = ", ".join([OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX])
        answer = self._ask(
            "GET", f"{self._url}/manifests/{tag}", (200, 404), headers={"Accept": accept}
        )
        return answer.content if answer.status_code == 200 else None

    def is_complete(self, manifest: bytes) -> bool:
        """Return whether the registry still has every blob of an image; it may have lost some."""
        described = json.loads(manifest)
        return all(
            self._ask("HEAD", f"{self._url}/blobs/{part['digest']}", (200, 404)).status_code == 200
            for part in [described["config"], *described["layers"]]
        )


def assemble(layout: Path, code: Path, folder: Path) -> Assembled:
    """Write the layer with the code and the configuration into the folder; return the whole image."""
    base, described = _read(layout)
    layer, packed = folder / "layer.tar", folder / "layer.tar.gz"
    roots = _baked.write_layer(code, layer, base.created_s)
    config = _baked.config(base, f"sha256:{digest_of(layer)}", roots)
    (folder / "config.json").write_bytes(config)
    with (
        layer.open("rb") as source,
        packed.open("wb") as target,
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as out,
    ):
        shutil.copyfileobj(source, out)
    last = f"sha256:{digest_of(packed)}"
    config_digest = digest_of_bytes(config)
    parts = {
        config_digest: folder / "config.json",
        **{one["digest"]: _blob(layout, one["digest"]) for one in described},
        last: packed,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": config_digest, "size": len(config)},
        "layers": [
            *described,
            {"mediaType": _LAYER, "digest": last, "size": packed.stat().st_size},
        ],
    }
    return Assembled(_baked.as_json(manifest), config_digest, parts)


def _read(layout: Path) -> tuple[_layout.Image, list[dict[str, Any]]]:
    """Return the image of the layout, and the descriptors of its layers."""
    try:
        entries = json.loads((layout / "index.json").read_bytes())["manifests"]
        platforms = [entry for entry in entries if entry["mediaType"] == OCI_MANIFEST]
        if len(platforms) != 1:
            raise StageError(f"the layout contains {len(platforms)} images, not one")
        digest = platforms[0]["digest"]
        manifest = json.loads(_blob(layout, digest).read_bytes())
        config_digest = manifest["config"]["digest"]
        content = _blob(layout, config_digest).read_bytes()
        layers = [
            {key: one[key] for key in ("mediaType", "digest", "size")} for one in manifest["layers"]
        ]
        sizes = tuple((str(o["digest"]), int(o["size"]), str(o["mediaType"])) for o in layers)
        config = json.loads(content)
        return _layout.Image(layout, digest, config_digest, config, content, sizes), layers
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"the layout of the image cannot be read: {error!r}") from None


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest[7:]
