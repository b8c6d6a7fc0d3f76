"""Builds the image of an environment, which also has programs and packages without a wheel."""

from typing import Annotated, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.suffix import Suffix


class EnvironmentMetrics(TypedDict):
    """The size of all layers and of those above the base, in bytes; packages and programs above it."""

    size_bytes: float
    above_base_bytes: float
    packages: float
    programs: float


def environment(
    context: In, base: In, archive: Annotated[Out, Suffix(".tar")], *, platform: str
) -> EnvironmentMetrics:
    """Write the image that the folder `context` describes, as `stages.containers.build` does.

    platform: of the image: linux/amd64, linux/arm64 or linux/arm/v7
    In addition, the packages of sources-<arch>.lock are built from source, with the setuptools of the
    wheels' lock, and the programs of all packages are in /usr/local/bin: other images have none, because
    the programs of a stage start with `python3 -m`. Java is at /usr/bin/java if a Debian package has it.
    The same inputs give the same bytes. StageError: a source package contains more than Python.
    """
    import tempfile
    from pathlib import Path

    from stages.containers import _contents, _programs, _sources
    from stages.containers._image import read_image
    from stages.containers._platform import platform_of
    from stages.containers._tree import Tree, epoch_of, read_tree

    on, image, epoch = platform_of(platform), read_image(context), epoch_of(base)
    if on.name not in image.platforms:
        raise StageError(f"the image {image.name} is not for {on.name}")
    tree = Tree(read_tree(base))
    packages = _contents.fill(tree, context, image, on, epoch)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        packages += _sources.install(tree, context, image, on, Path(folder))
        programs = _programs.add(tree)
        size, above = _contents.write(archive, base, tree, image, on, epoch, Path(folder))
    return EnvironmentMetrics(
        size_bytes=float(size),
        above_base_bytes=float(above),
        packages=float(packages),
        programs=float(programs),
    )
