"""Builds the image of one platform on a base, without Docker, root or emulation."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from stages.containers._image import Image
    from stages.containers._platform import Platform
    from stages.containers._tree import Tree


class BuildMetrics(TypedDict):
    """The size of all layers and of those above the base, in bytes, and the packages above the base."""

    size_bytes: float
    above_base_bytes: float
    packages: float


def build(
    context: In, base: In, archive: Annotated[Out, Suffix(".tar")], *, platform: str
) -> BuildMetrics:
    """Write the image that the folder `context` describes (containers/<image>/) as an OCI archive.

    `docker load` accepts it too.

    platform: of the image: linux/amd64, linux/arm64 or linux/arm/v7
    Above the base there is one layer: the wheels of requirements-<arch>.lock and the packages of
    debian-<arch>.lock, each downloaded for the platform and checked by its sha256. Every file has
    the time of the base and belongs to root, and the files are sorted, so the same inputs give the
    same bytes on any machine.
    """
    import tempfile
    from pathlib import Path

    from stages.containers._archive import Layer, write_archive
    from stages.containers._bytecode import add_bytecode
    from stages.containers._image import read_image
    from stages.containers._platform import platform_of
    from stages.containers._tree import Tree, epoch_of, read_tree

    on, image, epoch = platform_of(platform), read_image(context), epoch_of(base)
    if on.name not in image.platforms:
        raise StageError(
            f"the image {image.name} is not for {on.name}, but for {', '.join(image.platforms)}"
        )
    tree = Tree(read_tree(base))
    packages = _fill(tree, context, image, on, epoch)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        add_bytecode(tree, Path(folder))
        layer = Path(folder) / "layer.tar"
        with layer.open("wb") as out:
            tree.write(out, epoch)
        layers = [Layer(base, "Debian and Python"), Layer(layer, f"packages of {image.name}")]
        write_archive(archive, layers, on, _settings(image), epoch)
        above = layer.stat().st_size
    return BuildMetrics(
        size_bytes=float(base.stat().st_size + above),
        above_base_bytes=float(above),
        packages=float(packages),
    )


def _fill(tree: "Tree", context: In, image: "Image", on: "Platform", epoch: int) -> int:
    """Add the packages of the image's locks to the tree, and return their number."""
    from stages.containers._debian import install, read_lock, read_repository
    from stages.containers._rootfs import alternatives
    from stages.containers._wheels import download_wheels, lay, read_requirements

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


def _settings(image: "Image") -> dict[str, Any]:
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
