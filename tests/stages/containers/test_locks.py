"""The images' locks, compared with uv.lock and with one another."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from stages.containers._debian import read_lock
from stages.containers._platform import PLATFORMS, Platform
from stages.containers._wheels import read_requirements

ROOT = Path(__file__).resolve().parents[3]
IMAGES = {
    path.parent: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "containers").glob("*/image.yaml"))
}
LOCKED = [
    (folder, PLATFORMS[name])
    for folder, image in IMAGES.items()
    for name in image["platforms"]
    if not image.get("optional")
]


def script(path: str) -> ModuleType:
    """Return a script of the project as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    """containers/lock.py."""
    return script("containers/lock.py")


@pytest.mark.parametrize(
    ("folder", "platform"), LOCKED, ids=lambda each: getattr(each, "name", each)
)
def test_a_container_has_the_versions_of_a_local_process(
    folder: Path, platform: Platform, lock: ModuleType
) -> None:
    image = IMAGES[folder]
    left_out = [
        *image.get("debian", {}).get(platform.arch, {}),
        *image["wheels"].get("without", []),
    ]
    expected = lock.Wheels(platform).closure(image["wheels"]["extra"], left_out)
    assert (
        list(read_requirements(folder / f"requirements-{platform.arch}.lock").values()) == expected
    ), "make lock"


@pytest.mark.parametrize(
    ("folder", "image"),
    [(folder, one) for folder, one in IMAGES.items() if "packages" in one.get("wheels", {})],
)
def test_the_lock_of_an_image_with_its_own_packages_has_them(
    folder: Path, image: dict[str, Any]
) -> None:
    def pinned(name: str) -> set[str]:
        lines = read_requirements(folder / f"{name}-amd64.lock").values()
        return {line.partition(" ")[0] for line in lines}

    wanted = {re.sub(r"\[.*\]", "", package) for package in image["wheels"]["packages"]}
    assert wanted <= pinned("requirements"), "make lock"
    assert {one.partition("==")[0] for one in pinned("sources")} == {*image["wheels"]["sources"]}


def test_a_hash_is_read_from_both_kinds_of_lock(lock: ModuleType) -> None:
    assert lock.hash_of({"hash": "sha256:1"}) == "sha256:1"
    assert lock.hash_of({"hashes": {"sha256": "1"}}) == "sha256:1"


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda each: each.arch)
def test_the_base_of_a_platform_has_python_and_certificates(platform: Platform) -> None:
    names = {
        package.name
        for package in read_lock(ROOT / "containers/base" / f"debian-{platform.arch}.lock").packages
    }
    assert names >= {"python3", "libc6", "ca-certificates", "dpkg", "usr-is-merged"}


def test_every_lock_of_debian_packages_is_of_the_same_release() -> None:
    assert (
        len({read_lock(path).epoch for path in (ROOT / "containers").glob("*/debian-*.lock")}) == 1
    )


@pytest.mark.parametrize(
    ("folder", "platform"), LOCKED, ids=lambda each: getattr(each, "name", each)
)
def test_what_draws_has_fonts_for_all_scripts(folder: Path, platform: Platform) -> None:
    names = {
        package.name for package in read_lock(folder / f"debian-{platform.arch}.lock").packages
    }
    assert names >= {"fonts-dejavu-core", "fonts-unifont"}


def test_what_has_no_wheel_is_in_the_lock_of_debian_packages() -> None:
    names = {
        package.name
        for package in read_lock(ROOT / "containers/runtime/debian-armv7.lock").packages
    }
    assert names >= {"python3-numpy", "python3-pil", "libblas3"}
    assert not any(
        "armv7l" in line
        for line in read_requirements(ROOT / "containers/runtime/requirements-arm64.lock").values()
    )


@pytest.mark.skipif(not shutil.which("apt-get"), reason="there is no apt-get")
def test_apt_resolves_for_another_platform_without_emulation(
    lock: ModuleType, tmp_path: Path
) -> None:
    apt = lock.Apt(tmp_path, PLATFORMS["linux/arm/v7"])
    lines = apt.closure(["libblas3"])
    assert [line.split(" ")[0] for line in lines] == [
        "gcc-12-base",
        "libblas3",
        "libc6",
        "libgcc-s1",
    ]
    assert all(line.split(" ")[2].endswith(("_armhf.deb", "_all.deb")) for line in lines)
    assert apt.epoch() > 1_600_000_000


def test_a_package_without_a_wheel_for_the_platform_is_named(lock: ModuleType) -> None:
    with pytest.raises(
        SystemExit,
        match=r"numpy 1\.26\.4 has no wheel for armv7l; use a Debian package instead",
    ):
        lock.Wheels(PLATFORMS["linux/arm/v7"]).closure(
            "runtime", ["pillow", "opencv-python-headless"]
        )


def test_the_benchmark_says_what_docker_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert (
        script("benchmarks/images.py").missing(PLATFORMS["linux/arm64"])
        == "dockerd is not installed: apt-get install docker.io"
    )
