"""The contents of an image above its base: the packages of its locks, and its settings."""

from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.containers._archive import Layer, write_archive
from stages.containers._bytecode import add_bytecode
from stages.containers._debian import install, read_lock, read_repository
from stages.containers._image import Image
from stages.containers._platform import Platform
from stages.containers._rootfs import alternatives
from stages.containers._tree import Tree
from stages.containers._wheels import download_wheels, lay, read_requirements


def fill(tree: Tree, context: Path, image: Image, on: Platform, epoch: int) -> int:
    """Add the packages of the image's locks to the tree, and return their number."""
    lock, requirements = (
        context / f"debian-{on.arch}.lock",
        context / f"requirements-{on.arch}.lock",
    )
    if not (lock.is_file() or requirements.is_file() or image.repository):
        raise StageError(
            f"the image {image.name} has no {requirements.name}; create it with: make lock"
        )
    packages = install(tree, read_lock(lock), image.leave_out) if lock.is_file() else 0
    if image.repository:
        packages += install(tree, read_repository(image.repository, on.debian, epoch))
    alternatives(tree, on)
    wheels = download_wheels(read_requirements(requirements), on) if requirements.is_file() else []
    for wheel in wheels:
        lay(wheel, tree, image.leave_out)
    return packages + len(wheels)


def write(
    archive: Path, base: Path, tree: Tree, image: Image, on: Platform, epoch: int, folder: Path
) -> tuple[int, int]:
    """Write the archive of base and tree; return the bytes of all layers, and of those above the base.

    folder: for temporary files
    """
    add_bytecode(tree, folder)
    layer = folder / "layer.tar"
    with layer.open("wb") as out:
        tree.write(out, epoch)
    layers = [Layer(base, "Debian and Python"), Layer(layer, f"packages of {image.name}")]
    write_archive(archive, layers, on, _settings(image), epoch)
    above = layer.stat().st_size
    return base.stat().st_size + above, above


def _settings(image: Image) -> dict[str, Any]:
    """Return the image's settings for containers, with the keys of the OCI image specification
    (config.md).
    """
    return {
        "Env": [
            "PATH=/usr/local/bin:/usr/bin:/bin",
            *(f"{key}={value}" for key, value in sorted(image.env.items())),
        ],
        "User": image.user,
        "WorkingDir": "/",
        "Cmd": ["python3"],
        "Labels": {
            "org.opencontainers.image.title": image.name,
            "org.opencontainers.image.description": image.description,
        },
    }
