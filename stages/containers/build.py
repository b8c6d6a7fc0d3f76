"""Builds the image of one platform on a base, without Docker, root or emulation."""

from typing import Annotated, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.suffix import Suffix


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

    from stages.containers import _contents
    from stages.containers._image import read_image
    from stages.containers._platform import platform_of
    from stages.containers._tree import Tree, epoch_of, read_tree

    on, image, epoch = platform_of(platform), read_image(context), epoch_of(base)
    if on.name not in image.platforms:
        raise StageError(
            f"the image {image.name} is not for {on.name}, but for {', '.join(image.platforms)}"
        )
    tree = Tree(read_tree(base))
    packages = _contents.fill(tree, context, image, on, epoch)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        size, above = _contents.write(archive, base, tree, image, on, epoch, Path(folder))
    return BuildMetrics(
        size_bytes=float(size), above_base_bytes=float(above), packages=float(packages)
    )
