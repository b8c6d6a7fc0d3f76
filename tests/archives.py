"""Image archives for tests: of a few files, or with the Python of the tests and its runtimes."""

import hashlib
import importlib.util
import io
import json
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PLATFORMS: dict[str, dict[str, str]] = {
    "linux/amd64": {"architecture": "amd64", "os": "linux"},
    "linux/arm64": {"architecture": "arm64", "os": "linux"},
    "linux/arm/v7": {"architecture": "arm", "variant": "v7", "os": "linux"},
}
_LEFT_OUT = {"test", "site-packages", "dist-packages", "idlelib"}  # of the standard library's folder: Python runs without
HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]  # where these tests run


def layer(files: Mapping[str, bytes | str]) -> bytes:
    """Return a layer; bytes are a file, executable for all, and a str is where a symbolic link leads."""
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


def write(path: Path, layers: Iterable[bytes], on: str = HERE, *, diff_ids: list[str] | None = None, **config: Any) -> Path:
    """Write the archive of an image with these layers, as the stage `build` lays it out."""
    layers = list(layers)
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    descriptors = [blob(content, "layer.v1.tar") for content in layers]
    about = {**PLATFORMS[on], "created": "2026-01-02T03:04:05Z", "config": config,
             "rootfs": {"type": "layers", "diff_ids": diff_ids or [each["digest"] for each in descriptors]}}  # fmt: skip
    settings = blob(json.dumps(about).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": settings, "layers": descriptors}
    index = {"schemaVersion": 2, "manifests": [{**blob(json.dumps(manifest).encode(), "manifest.v1+json"), "platform": PLATFORMS[on]}]}
    docker = [{"Config": f"blobs/sha256/{settings['digest'][7:]}", "RepoTags": None,
               "Layers": [f"blobs/sha256/{each['digest'][7:]}" for each in descriptors]}]  # fmt: skip
    members = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        "manifest.json": json.dumps(docker).encode(),
        **{f"blobs/sha256/{digest}": content for digest, content in blobs.items()},
    }
    path.write_bytes(layer(members))
    return path


def with_python(path: Path, packages: Iterable[str] = ("numpy", "ai_edge_litert", "tflite_runtime")) -> Path:
    """Write the archive of an image with the tests' own Python and these packages."""
    python, stdlib = Path(sys.executable).resolve(), Path(sysconfig.get_paths()["stdlib"])
    home = f"usr/local/lib/{stdlib.name}"
    files = {f"{home}/{file.relative_to(stdlib)}": file for file in _below(stdlib) if not _LEFT_OUT & set(file.relative_to(stdlib).parts)}
    for package in map(_folder, packages):
        beside = [folder for folder in package.parent.glob(f"{package.name}[.-]*") if folder.suffix in (".libs", ".dist-info")]
        files |= {
            f"{home}/site-packages/{file.relative_to(package.parent)}": file for folder in (package, *beside) for file in _below(folder)
        }
    files["usr/local/bin/python3"] = python
    programs = {file.resolve() for file in files.values() if file == python or ".so" in file.name}
    files |= {str(file).lstrip("/"): file for file in _libraries(programs) if file.resolve() not in programs}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", dereference=True) as tar:
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):  # readable to all
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, file in sorted(files.items()):
            tar.add(file, name)
        usual = tarfile.TarInfo("usr/bin/python3")
        usual.type, usual.linkname = tarfile.SYMTYPE, "/usr/local/bin/python3"
        tar.addfile(usual)
    return write(path, [out.getvalue()], Env=["PYTHONHOME=/usr/local", "PATH=/usr/local/bin"])


def _below(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".a")


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found and found.origin
    return Path(found.origin).parent


def _libraries(programs: Iterable[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", said)}
