"""The image of an environment: programs, and packages that are built from source."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.containers.base import base
from stages.containers.environment import environment
from tests.stages.containers.packages import deb, lock, put, wheel

IMAGE = "name: tools\ndescription: for a test\nplatforms: [linux/amd64]\n"
TOOL = {
    "tool.py": b"def main(): ...\n",
    "tool-1.dist-info/METADATA": b"Name: tool\n",
    "tool-1.dist-info/entry_points.txt": b"[console_scripts]\ntool = tool:main\n",
}
# a stand-in for setuptools, so that nothing is downloaded: a build backend (PEP 517) of a few lines
BACKEND = b"""
import zipfile
def prepare_metadata_for_build_wheel(folder, settings=None):
    import pathlib
    info = pathlib.Path(folder, "old-1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: old\\nVersion: 1\\n")
    return info.name
def build_wheel(folder, settings=None, metadata=None):
    name = f"old-1-py3-none-{TAG}.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.writestr("old.py", "old = 1\\n")
        archive.writestr("old-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: old\\nVersion: 1\\n")
        archive.writestr("old-1.dist-info/WHEEL", "Wheel-Version: 1.0\\n")
        archive.writestr("old-1.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an image whose lock of wheels names a tool and the backend."""
    cache, folder = tmp_path / "cache", tmp_path / "context"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    folder.mkdir()
    (folder / "image.yaml").write_text(IMAGE)
    _name_wheels(folder, cache, "any")
    (tmp_path / "links").mkdir()
    source = tmp_path / "links" / "old-1.tar.gz"
    with tarfile.open(source, "w:gz") as tar:
        project = b'[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        for name, data in {"pyproject.toml": project, "old.py": b"old = 1\n"}.items():
            info = tarfile.TarInfo(f"old-1/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    (folder / "sources-amd64.lock").write_text(f"old==1 --hash=sha256:{digest}\n")
    lock(tmp_path / "base" / "debian-amd64.lock", {"first": deb("first", {"./lib/y": b"1"})}, cache)
    base(tmp_path / "base", tmp_path / "base.tar", platform="linux/amd64", base="bootstrap")
    return folder


def _name_wheels(folder: Path, cache: Path, tag: str) -> None:
    backend = wheel({"backend.py": b"TAG = %r\n" % tag + BACKEND})
    lines = [f"setuptools==1 --hash=sha256:{put(backend, cache)}\n"]
    lines.append(f"tool==1 --hash=sha256:{put(wheel(TOOL), cache)}\n")
    (folder / "requirements-amd64.lock").write_text("".join(lines))


def _layer(archive: Path) -> dict[str, bytes]:
    """The files of the layer above the base."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as whole:
        for member in whole:
            data = whole.extractfile(member)
            if not member.name.startswith("blobs/") or data is None or member.size < 5000:
                continue
            with tarfile.open(fileobj=data) as layer:
                for one in layer:
                    content = layer.extractfile(one) if one.isreg() else None
                    found[one.name] = content.read() if content else b""
    return found


def test_it_has_the_programs_and_what_is_built_from_source(context: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    metrics = environment(context, tmp_path / "base.tar", archive, platform="linux/amd64")
    files = _layer(archive)
    assert b"from tool import main" in files["usr/local/bin/tool"]
    assert files["usr/local/lib/python3.11/dist-packages/old.py"] == b"old = 1\n"
    assert (metrics["packages"], metrics["programs"]) == (3.0, 1.0)


def test_the_same_inputs_give_the_same_bytes(context: Path, tmp_path: Path) -> None:
    for name in ("1.tar", "2.tar"):
        environment(context, tmp_path / "base.tar", tmp_path / name, platform="linux/amd64")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_compiled_code_is_not_built(context: Path, tmp_path: Path) -> None:
    _name_wheels(context, tmp_path / "cache", "linux_x86_64")
    with pytest.raises(StageError, match="compiled code"):
        environment(context, tmp_path / "base.tar", tmp_path / "i.tar", platform="linux/amd64")


def test_a_source_with_another_hash_is_refused(context: Path, tmp_path: Path) -> None:
    (context / "sources-amd64.lock").write_text(f"old==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(StageError, match=r"sources-amd64\.lock"):
        environment(context, tmp_path / "base.tar", tmp_path / "i.tar", platform="linux/amd64")


def test_a_platform_that_the_image_is_not_for_is_refused(context: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not for linux/arm64"):
        environment(context, tmp_path / "base.tar", tmp_path / "i.tar", platform="linux/arm64")
