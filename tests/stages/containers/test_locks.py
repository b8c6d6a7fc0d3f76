"""The locks that the images are made from, against uv.lock and one another."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from stages.containers._debian import read_lock
from stages.containers._platform import PLATFORMS, Platform
from stages.containers._wheels import read_requirements

ROOT = Path(__file__).resolve().parents[3]
IMAGES = {path.parent: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "containers").glob("*/image.yaml"))}
LOCKED = [(folder, PLATFORMS[name]) for folder, image in IMAGES.items() for name in image["platforms"] if not image.get("optional")]


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    """containers/lock.py."""
    spec = importlib.util.spec_from_file_location("lock", ROOT / "containers/lock.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("folder", "platform"), LOCKED, ids=lambda each: getattr(each, "name", each))
def test_a_container_has_the_versions_of_a_local_process(folder: Path, platform: Platform, lock: ModuleType) -> None:
    image = IMAGES[folder]
    left_out = [*image.get("debian", {}).get(platform.arch, {}), *image["wheels"].get("without", [])]
    expected = lock.Wheels(platform).closure(image["wheels"]["extra"], left_out)
    assert list(read_requirements(folder / f"requirements-{platform.arch}.lock").values()) == expected, "make lock"


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda each: each.arch)
def test_the_base_of_a_platform_has_python_and_certificates(platform: Platform) -> None:
    names = {package.name for package in read_lock(ROOT / "containers/base" / f"debian-{platform.arch}.lock").packages}
    assert names >= {"python3", "libc6", "ca-certificates", "dpkg", "usr-is-merged"}


def test_every_lock_of_debian_packages_is_of_the_same_release() -> None:
    assert len({read_lock(path).epoch for path in (ROOT / "containers").glob("*/debian-*.lock")}) == 1


def test_what_has_no_wheel_is_in_the_lock_of_debian_packages() -> None:
    names = {package.name for package in read_lock(ROOT / "containers/runtime/debian-armv7.lock").packages}
    assert names >= {"python3-numpy", "python3-pil", "libblas3"}
    assert not any("armv7l" in line for line in read_requirements(ROOT / "containers/runtime/requirements-arm64.lock").values())
