"""Builds the root file system that all images of a platform share."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.containers._tree import Tree


class BaseMetrics(TypedDict):
    """The size of the tar in bytes, and the number of Debian packages in it."""

    size_bytes: float
    packages: float


def base(
    lock: In, rootfs: Annotated[Out, Suffix(".tar")], *, platform: str, base: str = "auto"
) -> BaseMetrics:
    """Write Debian with Python as one tar.

    lock: the folder with debian-<arch>.lock and registry.txt

    base: bootstrap unpacks the packages of the lock; registry starts with Debian's own image,
          pinned by digest, and adds missing packages from the lock; auto uses the registry if it
          is reachable, and otherwise bootstraps

    platform: of the image: linux/amd64, linux/arm64 or linux/arm/v7

    Needs neither root nor emulation. When bootstrapped, the same lock gives the same bytes: every file
    has the time of the release.
    """
    from stages.containers._bytecode import add_bytecode
    from stages.containers._debian import install, installed, read_lock
    from stages.containers._platform import platform_of
    from stages.containers._rootfs import alternatives, prepare, settle
    from stages.containers._tree import Tree

    if base not in ("auto", "bootstrap", "registry"):
        raise StageError(f"there is no base '{base}'; choose auto, bootstrap or registry")
    on = platform_of(platform)
    packages = read_lock(lock / f"debian-{on.arch}.lock")
    tree = Tree()
    if base == "bootstrap" or not _pulled(tree, lock / "registry.txt", on.name, base == "auto"):
        prepare(tree, on)
    install(tree, packages)
    settle(tree)
    alternatives(tree, on)
    add_bytecode(tree, rootfs.parent)
    with rootfs.open("wb") as out:
        tree.write(out, packages.epoch)
    return BaseMetrics(
        size_bytes=float(rootfs.stat().st_size), packages=float(len(installed(tree)))
    )


def _pulled(tree: "Tree", pin: "Path", platform: str, is_optional: bool) -> bool:
    """Apply the layers of the pinned image to the tree.

    Return False if the registry is optional and cannot be reached.
    """
    import json
    import tempfile

    from stages.containers._registry import pull

    if not pin.is_file():
        raise StageError(
            f"the folder of the base has no {pin.name}, which pins Debian's image by digest"
        )
    with tempfile.TemporaryDirectory() as folder:
        blobs = type(pin)(folder) / "image" / "blobs" / "sha256"
        try:
            digest = pull(pin.read_text(encoding="utf-8").strip(), platform, blobs.parent.parent)
        except StageError as error:
            if not is_optional:
                raise
            note(f"building the base from Debian's packages: {error}")
            return False
        manifest = json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())
        for layer in manifest["layers"]:
            with (blobs / layer["digest"].removeprefix("sha256:")).open("rb") as stream:
                tree.overlay(stream)
    return True
