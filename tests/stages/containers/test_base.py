"""The root file system of images: from small packages made here, from a real registry, and from Debian."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.stage import StageError
from stages.containers import _registry, base
from stages.containers._registry import OCI_MANIFEST, Repository, digest_of
from stages.containers._tree import read_tree
from tests import services
from tests.stages.containers.packages import EPOCH, deb, lock, tar

ROOT = Path(__file__).resolve().parents[3]
UNREACHABLE = "127.0.0.1:9/debian@sha256:" + "0" * 64
DEBS = {
    "base-passwd": deb(
        "base-passwd",
        {
            "./usr/share/base-passwd/passwd.master": b"root:*:0:0::/root:/bin/sh\n",
            "./usr/share/base-passwd/group.master": b"root:*:0:\n",
        },
    ),
    "ca-certificates": deb(
        "ca-certificates",
        {
            "./usr/share/ca-certificates/b.crt": b"two",
            "./usr/share/ca-certificates/a.crt": b"one\n",
        },
    ),
    "mawk": deb("mawk", {"./usr/bin/mawk": b"\x7fELF"}),
    "python": deb(
        "python",
        {
            "./lib/ld.so": b"\x7fELF",
            "./usr/lib/python3/x.py": b"a = 1\n",
            "./usr/lib/python3/broken.py": b"print 1\n",
        },
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the lock of four small packages, which are in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock(tmp_path / "lock" / "debian-arm64.lock", DEBS, tmp_path / "cache")
    (tmp_path / "lock" / "registry.txt").write_text(UNREACHABLE)
    return tmp_path / "lock"


def test_the_base_has_what_the_packages_scripts_would_have_made(
    folder: Path, tmp_path: Path
) -> None:
    metrics = base.base(folder, tmp_path / "base.tar", platform="linux/arm64", base="bootstrap")
    tree = read_tree(tmp_path / "base.tar")
    assert {name: tree.entries[name].link for name in ("bin", "lib", "sbin", "var/run")} == {
        "bin": "usr/bin",
        "lib": "usr/lib",
        "sbin": "usr/sbin",
        "var/run": "/run",
    }
    assert (
        tree.read("etc/passwd")
        == b"root:*:0:0::/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\napp:x:1000:1000::/tmp:/usr/sbin/nologin\n"
    )
    assert tree.read("etc/ssl/certs/ca-certificates.crt") == b"one\ntwo\n"
    assert tree.entries["usr/bin/awk"].link == "mawk"
    assert tree.read("lib/ld.so") == b"\x7fELF"
    assert "lib64" not in tree.entries
    assert metrics == {"packages": 4, "size_bytes": (tmp_path / "base.tar").stat().st_size}


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="only Python 3.11 compiles for the images"
)
def test_modules_are_compiled_and_what_is_no_python_3_is_left_alone(
    folder: Path, tmp_path: Path
) -> None:
    base.base(folder, tmp_path / "base.tar", platform="linux/arm64", base="bootstrap")
    found = [path for path in read_tree(tmp_path / "base.tar").entries if path.endswith(".pyc")]
    assert found == ["usr/lib/python3/__pycache__/x.cpython-311.pyc"]
    flags = struct.unpack("<I", (read_tree(tmp_path / "base.tar").read(found[0]) or b"")[4:8])
    assert flags == (0b01,)  # by hash, unchecked: PEP 552


def test_the_same_lock_gives_the_same_bytes_whatever_umask_folder_time_and_order(
    folder: Path, tmp_path: Path
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from stages.containers.base import base; "
        "os.umask(int(sys.argv[3], 8)); "
        "base(Path(sys.argv[1]), Path(sys.argv[2]), platform='linux/arm64', base='bootstrap')"
    )
    digests = set()
    for n, (umask, zone) in enumerate([("022", "UTC"), ("077", "Asia/Tokyo")]):
        (tmp_path / str(n)).mkdir()
        out = tmp_path / str(n) / "base.tar"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": zone, "PYTHONHASHSEED": str(n)}
        subprocess.run(
            [sys.executable, "-c", code, str(folder), str(out), umask],
            check=True,
            cwd=out.parent,
            env=env,
        )
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_auto_says_that_the_registry_was_not_there_and_bootstraps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(base, "note", said.append)
    monkeypatch.setattr(_registry.time, "sleep", lambda _: None)
    base.base(folder, tmp_path / "base.tar", platform="linux/arm64")
    assert read_tree(tmp_path / "base.tar").entries["bin"].link == "usr/bin"
    assert "building the base from Debian's packages" in said[0]


def test_a_registry_that_was_asked_for_and_is_not_there_is_a_failure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_registry.time, "sleep", lambda _: None)
    with pytest.raises(StageError, match=r"127\.0\.0\.1:9"):
        base.base(folder, tmp_path / "base.tar", platform="linux/arm64", base="registry")
    assert not (tmp_path / "base.tar").exists()


@pytest.mark.registry
def test_on_an_image_of_a_registry_only_what_it_lacks_is_unpacked(
    folder: Path, tmp_path: Path, registry: services.Registry
) -> None:
    status = b"Package: mawk\nStatus: install ok installed\nVersion: 9\n"
    layers = [
        tar(
            {
                "bin": "usr/bin",
                "usr/bin/mawk": b"theirs",
                "gone": b"",
                "var/lib/dpkg/status": status,
            },
            "w:gz",
        ),
        tar({".wh.gone": b""}, "w:gz"),
    ]
    (folder / "registry.txt").write_text(
        f"{registry.address}/debian@{_push(registry, layers, tmp_path)}\n"
    )
    metrics = base.base(folder, tmp_path / "base.tar", platform="linux/arm64", base="registry")
    tree = read_tree(tmp_path / "base.tar")
    assert tree.read("bin/mawk") == b"theirs"
    assert tree.read("usr/share/ca-certificates/b.crt") == b"two"
    assert "gone" not in tree.entries
    assert metrics["packages"] == 4


def _push(registry: services.Registry, layers: list[bytes], folder: Path) -> str:
    """Push an image for arm64 and return its digest."""
    repository = Repository(_registry.parse(f"{registry.address}/debian:x"))
    config = json.dumps(
        {"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    ).encode()

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        path = folder / digest_of(data)
        path.write_bytes(data)
        repository.upload(path, digest_of(data))
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": digest_of(data),
            "size": len(data),
        }

    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": blob(config, "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar+gzip") for layer in layers],
    }
    return repository.put_manifest("x", json.dumps(manifest).encode(), OCI_MANIFEST)


@pytest.mark.parametrize(
    ("platform", "kind", "sentence"),
    [
        (
            "linux/riscv64",
            "auto",
            "there is no platform 'linux/riscv64'; images are built for linux/amd64, linux/arm64, "
            "linux/arm/v7",
        ),
        ("linux/arm64", "alpine", "there is no base 'alpine'; choose auto, bootstrap or registry"),
        ("linux/amd64", "bootstrap", "there is no debian-amd64.lock"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    platform: str, kind: str, sentence: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(StageError, match=sentence):
        base.base(folder, tmp_path / "base.tar", platform=platform, base=kind)


def test_a_base_folder_without_the_pin_of_the_registry_says_so(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "registry.txt").unlink()
    with pytest.raises(StageError, match=r"registry\.txt, which pins"):
        base.base(folder, tmp_path / "base.tar", platform="linux/arm64")


def test_every_file_has_the_time_of_the_release(folder: Path, tmp_path: Path) -> None:
    base.base(folder, tmp_path / "base.tar", platform="linux/arm64", base="bootstrap")
    with tarfile.open(tmp_path / "base.tar") as archive:
        assert {(info.mtime, info.uid, info.gid) for info in archive} == {(EPOCH, 0, 0)}
