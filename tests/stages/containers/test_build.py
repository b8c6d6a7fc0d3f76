"""Images: small ones made here, and the project's own runtime for every platform, run in a real engine."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from engine.stage import StageError
from stages.containers.base import base
from stages.containers.build import BuildMetrics, build
from stages.media import fonts
from tests import services
from tests.stages.containers.packages import EPOCH, deb, lock, put, wheel

ROOT = Path(__file__).resolve().parents[3]
IMAGE = """
name: tiny
description: for a test
platforms: [linux/arm64, linux/arm/v7]
leave_out: ["*/tests/*"]
env: {B: "2", A: x}
user: "1000:1000"
"""
WHEEL = {"x/__init__.py": b"a = 1\n", "x/tests/t.py": b"", "x-1.dist-info/METADATA": b"Name: x\n"}
ELF_MACHINES = {
    "linux/amd64": 62,
    "linux/arm64": 183,
    "linux/arm/v7": 40,
}  # EM_X86_64, EM_AARCH64, EM_ARM of elf(5)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small image and its base; everything that they need is in the cache."""
    cache, folder = tmp_path / "cache", tmp_path / "context"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    folder.mkdir()
    (folder / "image.yaml").write_text(IMAGE)
    (folder / "requirements-arm64.lock").write_text(
        f"x==1 --hash=sha256:{put(wheel(WHEEL), cache)}\n"
    )
    (folder / "requirements-armv7.lock").write_text(
        f"x==1 --hash=sha256:{put(wheel(WHEEL), cache)}\n"
    )
    lock(
        folder / "debian-armv7.lock",
        {"more": deb("more", {"./lib/arm-linux-gnueabihf/blas/libblas.so.3": b"1"})},
        cache,
    )
    for arch, platform in (("arm64", "linux/arm64"), ("armv7", "linux/arm/v7")):
        lock(
            tmp_path / "base" / f"debian-{arch}.lock",
            {"first": deb("first", {"./lib/y": b"1"})},
            cache,
        )
        base(tmp_path / "base", tmp_path / f"{arch}.tar", platform=platform, base="bootstrap")
    return folder


class Archive:
    """An archive read back, with every blob checked against its name."""

    def __init__(self, path: Path) -> None:
        self.tar = tarfile.open(path)  # noqa: SIM115 - closed by the test's end
        self.blobs = {
            name.rpartition("/")[2]: name
            for name in self.tar.getnames()
            if name.startswith("blobs/sha256/")
        }
        (self.descriptor,) = self.json("index.json")["manifests"]
        self.manifest = self.json(self.blob(self.descriptor))
        self.config = self.json(self.blob(self.manifest["config"]))

    def bytes(self, name: str) -> bytes:
        """Return a member."""
        stream = self.tar.extractfile(name)
        assert stream
        return stream.read()

    def json(self, name: str) -> Any:
        """Return a member's content."""
        return json.loads(self.bytes(name))

    def blob(self, descriptor: dict[str, Any]) -> str:
        """Return the name of a blob after checking its digest and size."""
        digest = descriptor["digest"].removeprefix("sha256:")
        data = self.bytes(self.blobs[digest])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, descriptor["size"])
        return self.blobs[digest]

    def layer(self, number: int) -> dict[str, tarfile.TarInfo]:
        """Return the contents of a layer."""
        with tarfile.open(
            fileobj=self.tar.extractfile(self.blob(self.manifest["layers"][number]))
        ) as layer:
            return {info.name: info for info in layer}


@pytest.fixture
def archive(context: Path, tmp_path: Path) -> Iterator[Archive]:
    """The small image for arm64."""
    build(context, tmp_path / "arm64.tar", tmp_path / "image.tar", platform="linux/arm64")
    made = Archive(tmp_path / "image.tar")
    yield made
    made.tar.close()


def test_an_archive_is_a_whole_oci_layout(archive: Archive) -> None:
    assert archive.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
    assert archive.descriptor["platform"] == {"architecture": "arm64", "os": "linux"}
    described = [archive.descriptor, archive.manifest["config"], *archive.manifest["layers"]]
    assert {archive.blob(part) for part in described} == set(archive.blobs.values())
    assert archive.config["rootfs"]["diff_ids"] == [
        layer["digest"] for layer in archive.manifest["layers"]
    ]


def test_an_archive_is_also_what_docker_loads(archive: Archive) -> None:
    (entry,) = archive.json("manifest.json")
    assert entry["RepoTags"] is None
    assert entry["Config"] == archive.blob(archive.manifest["config"])
    assert entry["Layers"] == [archive.blob(layer) for layer in archive.manifest["layers"]]


def test_the_settings_are_those_of_the_image(archive: Archive) -> None:
    assert archive.config["config"]["Env"] == ["PATH=/usr/local/bin:/usr/bin:/bin", "A=x", "B=2"]
    assert archive.config["config"]["User"] == "1000:1000"
    assert archive.config["config"]["Labels"]["org.opencontainers.image.title"] == "tiny"
    assert archive.config["created"] == "2023-11-14T22:13:20Z"


def test_the_wheels_lie_in_a_layer_of_their_own(archive: Archive) -> None:
    files = {
        name
        for name, info in archive.layer(1).items()
        if info.isfile() and not name.endswith(".pyc")
    }
    site = "usr/local/lib/python3.11/dist-packages"
    assert files == {f"{site}/x-1.dist-info/METADATA", f"{site}/x/__init__.py"}
    assert {info.mtime for info in archive.layer(1).values()} == {EPOCH}


def test_what_has_no_wheel_comes_from_debian_with_the_links_of_its_alternatives(
    context: Path, tmp_path: Path
) -> None:
    metrics = build(
        context, tmp_path / "armv7.tar", tmp_path / "image.tar", platform="linux/arm/v7"
    )
    made = Archive(tmp_path / "image.tar")
    assert made.config["variant"] == made.descriptor["platform"]["variant"] == "v7"
    assert made.layer(1)["usr/lib/arm-linux-gnueabihf/libblas.so.3"].linkname == "blas/libblas.so.3"
    assert b"Package: first" in made.bytes(
        made.blob(made.manifest["layers"][1])
    )  # dpkg's records of the base are kept
    assert metrics["packages"] == 2
    assert (
        metrics["size_bytes"]
        == metrics["above_base_bytes"] + (tmp_path / "armv7.tar").stat().st_size
    )
    made.tar.close()


def test_two_builds_are_one_digest_whatever_umask_folder_and_time(
    context: Path, tmp_path: Path
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from stages.containers.build import build; "
        "os.umask(int(sys.argv[4], 8)); "
        "build(*map(Path, sys.argv[1:4]), platform='linux/arm64')"
    )
    digests = set()
    for n, (umask, zone) in enumerate([("022", "UTC"), ("077", "Asia/Tokyo")]):
        out = tmp_path / f"{n}.tar"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": zone, "PYTHONHASHSEED": str(n)}
        argv = [
            sys.executable,
            "-c",
            code,
            str(context),
            str(tmp_path / "arm64.tar"),
            str(out),
            umask,
        ]
        subprocess.run(argv, check=True, cwd=["/", str(tmp_path)][n], env=env)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_platform_that_the_image_is_not_made_for_is_refused(
    context: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        StageError,
        match="the image tiny is not for linux/amd64, but for linux/arm64, linux/arm/v7",
    ):
        build(context, tmp_path / "arm64.tar", tmp_path / "image.tar", platform="linux/amd64")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: [", "image.yaml is not valid YAML"),
        ("- 1", "has no name, or no platforms"),
        ("name: x", "has no name, or no platforms"),
        ("name: x\nplatforms: []\nplatfroms: []", "unknown keys: platfroms"),
        ("name: x\nplatforms: []\nenv: [1]", "env and repository"),
    ],
)
def test_a_wrong_description_of_an_image_is_one_sentence(
    text: str, sentence: str, context: Path, tmp_path: Path
) -> None:
    (context / "image.yaml").write_text(text)
    with pytest.raises(StageError, match=sentence):
        build(context, tmp_path / "arm64.tar", tmp_path / "image.tar", platform="linux/arm64")


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(StageError, match=r"has no image\.yaml"):
        build(tmp_path, tmp_path / "x.tar", tmp_path / "image.tar", platform="linux/arm64")


def test_an_image_without_a_lock_says_how_to_make_it(context: Path, tmp_path: Path) -> None:
    (context / "requirements-arm64.lock").unlink()
    with pytest.raises(
        StageError,
        match=r"the image tiny has no requirements-arm64\.lock; create it with: make lock",
    ):
        build(context, tmp_path / "arm64.tar", tmp_path / "image.tar", platform="linux/arm64")


def test_the_edge_tpu_compiler_without_googles_source_is_one_sentence(tmp_path: Path) -> None:
    text = (ROOT / "containers/edgetpu-compiler/image.yaml").read_text()
    (tmp_path / "image.yaml").write_text(
        text.replace("https://packages.cloud.google.com", "https://127.0.0.1:9")
    )
    (tmp_path / "base").mkdir()
    with tarfile.open(tmp_path / "base.tar", "w") as made:
        made.addfile(tarfile.TarInfo("etc"))
    with pytest.raises(
        StageError,
        match=r"https://127\.0\.0\.1:9/apt/dists/coral-edgetpu-stable/main/binary-amd64/Packages "
        r"cannot be read",
    ):
        build(tmp_path, tmp_path / "base.tar", tmp_path / "image.tar", platform="linux/amd64")


@pytest.fixture(scope="module", params=list(ELF_MACHINES))
def runtime(
    request: pytest.FixtureRequest, runtime_image: Callable[[str], tuple[Path, BuildMetrics]]
) -> tuple[str, Path, BuildMetrics]:
    """The project's own image `runtime`: platform, archive, metrics."""
    return request.param, *runtime_image(request.param)


def test_every_program_of_the_runtime_image_is_of_its_platform(
    runtime: tuple[str, Path, BuildMetrics],
) -> None:
    platform, path, _ = runtime
    with tarfile.open(path) as whole:
        for layer in [name for name in whole.getnames() if whole.getmember(name).size > 1 << 20]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                heads = {
                    info.name: stream.read(20)
                    for info in files
                    if info.isreg() and (stream := files.extractfile(info))
                }
            machines = {
                int.from_bytes(head[18:20], "little")
                for head in heads.values()
                if head.startswith(b"\x7fELF")
            }
            assert machines == {ELF_MACHINES[platform]}


def test_what_runs_on_a_pi_5_is_aligned_to_its_pages_of_16_kib(
    runtime_image: Callable[[str], tuple[Path, BuildMetrics]],
) -> None:
    with tarfile.open(runtime_image("linux/arm64")[0]) as whole:
        for layer in [name for name in whole.getnames() if whole.getmember(name).size > 1 << 20]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                alignments = {
                    info.name: _alignment(stream)
                    for info in files
                    if info.isreg() and (stream := files.extractfile(info))
                }
            assert [name for name, alignment in alignments.items() if alignment < 16 << 10] == []


def _alignment(stream: IO[bytes]) -> int:
    """Return the smallest alignment of the loadable segments of a 64-bit ELF file (elf(5)).

    For any other file, a large number.
    """
    head, much = stream.read(64), 1 << 30
    if not head.startswith(b"\x7fELF"):
        return much
    (place,), (size, count) = (
        struct.unpack_from("<Q", head, 32),
        struct.unpack_from("<HH", head, 54),
    )
    stream.seek(place)
    segments = [stream.read(size) for _ in range(count)]
    return min(
        (int.from_bytes(each[48:56], "little") for each in segments if each[:4] == b"\1\0\0\0"),
        default=much,
    )  # PT_LOAD


def test_the_runtime_image_lies_at_most_150_mb_above_its_base(
    runtime: tuple[str, Path, BuildMetrics],
) -> None:
    platform, _, metrics = runtime
    assert metrics["above_base_bytes"] < (
        150_000_000 if platform != "linux/amd64" else 170_000_000
    )  # x86's wheels are larger


def test_the_runtime_image_has_one_face_of_each_font_and_they_draw_all_scripts(
    runtime: tuple[str, Path, BuildMetrics], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _fonts_in(runtime[1], tmp_path)
    assert sorted(path.name for path in found) == ["DejaVuSans.ttf", "unifont.otf"]
    monkeypatch.setattr(fonts, "_files", lambda: tuple(found))
    for cached in (fonts._index_of, fonts._font):
        cached.cache_clear()
    lacking = fonts.lacking("Übung Кир שלום مرحبا 深蹲 スクワット 스쿼트 हिंदी தமிழ் ไทย አማርኛ")
    for cached in (fonts._index_of, fonts._font):
        cached.cache_clear()
    assert lacking == ""


def _fonts_in(archive: Path, folder: Path) -> list[Path]:
    """Copy the fonts out of an image, from the folder in which stages look for them."""
    found = []
    with tarfile.open(archive) as whole:
        for layer in [name for name in whole.getnames() if whole.getmember(name).size > 1 << 20]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                for info in files:
                    if info.isreg() and info.name.startswith("usr/share/fonts/"):
                        found.append(folder / Path(info.name).name)
                        found[-1].write_bytes(files.extractfile(info).read())
    return found


@pytest.mark.docker
@pytest.mark.qemu
def test_the_runtime_image_runs_on_its_platform_as_an_ordinary_user_without_network_or_a_writable_root(
    runtime: tuple[str, Path, BuildMetrics], docker_engine: services.DockerEngine
) -> None:
    platform, path, _ = runtime
    client = docker_engine.client()
    with path.open("rb") as stream:
        (image,) = client.images.load(stream)
    code = (
        "import os, platform, ssl, numpy, PIL.Image, tflite_runtime.interpreter; "
        "numpy.linalg.inv(numpy.eye(3)); "
        "ssl.create_default_context().get_ca_certs()[100]; print(os.getuid(), platform.machine(), "
        "numpy.__version__)"
    )
    said = client.containers.run(
        image.id,
        ["python3", "-c", code],
        platform=platform,
        network_mode="none",
        read_only=True,
        user="1000:1000",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        remove=True,
    )
    client.images.remove(image.id, force=True)
    machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64", "linux/arm/v7": "armv7l"}[
        platform
    ]
    assert said.decode().split() == [
        "1000",
        machine,
        "1.24.2" if platform == "linux/arm/v7" else "1.26.4",
    ]
