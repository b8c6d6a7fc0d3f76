"""Adds the code of stages to an image, so that it runs where no folder can be mounted."""

from typing import IO, TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.containers._layout import Image


class BakeMetrics(TypedDict):
    """The sizes of the whole image and of the layer with the code, in bytes, and its number of files."""

    size_bytes: float
    code_bytes: float
    files: float


def bake(image: In, code: In, archive: Annotated[Out, Suffix(".tar")]) -> BakeMetrics:
    """Write the image with one more layer: the code, below /opt/rpi-mlops, and a PYTHONPATH for it.

    image:   archive of one platform, as the stage `build` writes it
    code:    folder with one numbered folder for each folder that Python searches, in order
    archive: like `image`; `docker load` accepts it too
    The image then runs `python3 -m engine.stage` without any mount. The same image and code give the
    same bytes. StageError: an input is not what it should be.
    """
    import tempfile
    from pathlib import Path

    from stages.containers import _baked, _layout
    from stages.containers._download import digest_of

    base = _layout.read(image)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        layer = Path(folder) / "layer.tar"
        roots = _baked.write_layer(code, layer, base.created_s)
        diff_id = f"sha256:{digest_of(layer)}"
        config = _baked.config(base, diff_id, roots)
        with archive.open("wb") as out:
            _write(out, base, config, diff_id, layer)
        code_bytes = layer.stat().st_size
    return BakeMetrics(
        size_bytes=float(sum(size for _, size, _ in base.layers) + code_bytes),
        code_bytes=float(code_bytes),
        files=float(sum(1 for path in code.rglob("*") if path.is_file())),
    )


def _write(out: IO[bytes], base: "Image", config: bytes, diff_id: str, layer: "Path") -> None:
    """Write the archive, as `_archive` does, with the base's layers copied from its own archive."""
    import hashlib
    import io
    import tarfile

    from stages.containers import _layout
    from stages.containers._archive import CONFIG, LAYER, MANIFEST
    from stages.containers._baked import as_json

    def described(kind: str, data: bytes) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    layers = [*base.layers, (diff_id, layer.stat().st_size, LAYER)]
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, config),
            "layers": [{"mediaType": k, "digest": d, "size": n} for d, n, k in layers],
        }
    )
    platform = {
        key: base.config[key] for key in ("os", "architecture", "variant") if base.config.get(key)
    }
    entry = {**described(MANIFEST, manifest), "platform": platform}
    paths = [f"blobs/sha256/{digest[7:]}" for digest, _, _ in layers]
    config_path = f"blobs/sha256/{hashlib.sha256(config).hexdigest()}"
    docker = [{"Config": config_path, "RepoTags": None, "Layers": paths}]
    parts = {
        "oci-layout": as_json({"imageLayoutVersion": "1.0.0"}),
        "index.json": as_json({"schemaVersion": 2, "manifests": [entry]}),
        "manifest.json": as_json(docker),
        config_path: config,
        f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}": manifest,
    }
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:

        def add(name: str, size: int, stream: IO[bytes]) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = size, 0o644, base.created_s
            tar.addfile(info, stream)

        for name, data in sorted(parts.items()):
            add(name, len(data), io.BytesIO(data))
        for digest, size, _ in dict.fromkeys(base.layers):
            with _layout.blob(base, digest) as stream:
                add(f"blobs/sha256/{digest[7:]}", size, stream)
        with layer.open("rb") as stream:
            add(paths[-1], layer.stat().st_size, stream)
