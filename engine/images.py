"""The images of containers/: selects the one for a stage, and computes its tag, a hash of everything
that goes into it.

It reads only the definitions; it builds nothing and asks no container engine.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine.catalogue import ROOT
from engine.errors import UserError
from engine.fields import Name, validated
from engine.fingerprint import DISTRIBUTIONS
from engine.foreach import MARK
from engine.stage.platforms import PLATFORMS
from engine.tools.definition import FILE as ENVIRONMENT
from engine.wording import listed

ARCHITECTURES = {name: platform.arch for name, platform in PLATFORMS.items()}
REPOSITORY = "raspberrypi-mlops"
RUNTIMES = {
    "litert": "ai_edge_litert",
    "tflite_runtime": "tflite_runtime",
}  # a stage that supports both needs only the target's
CONTAINERS = (
    ROOT / "containers"
)  # the project's own images, which a user's image may name as its base
RECORD = "image/1"
NOTHING: Mapping[str, str] = {}
_FULL_NAME = re.compile(
    rf"{REPOSITORY}/([A-Za-z0-9_-]+):(?:{'|'.join(ARCHITECTURES.values())})-[0-9a-f]{{12}}"
    "(?:-[0-9a-f]{12})?"  # of the code in it
)
_LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==", re.MULTILINE)
_DEBIAN = re.compile(r"^python3-([\w.+-]+)\s", re.MULTILINE)


class Definition(BaseModel):
    """containers/<image>/image.yaml."""

    model_config = ConfigDict(frozen=True, extra="allow")

    description: str
    platforms: tuple[str, ...] = Field(min_length=1)
    base: Name | None = None
    optional: bool = Field(False, description="used if it exists, and otherwise not required")
    usecase: Name = Field(
        "containers",
        description="the use case with the stage build_<image>@<architecture> that builds it",
    )


@dataclass(frozen=True, slots=True)
class Image:
    """One image for one platform."""

    name: str
    platform: str
    tag: str
    packages: frozenset[str]  # Python distributions, normalised
    optional: bool
    usecase: str
    foreign: str = ""  # the full name of an image that is not one of containers/
    digest: str = ""  # of a foreign image, because its tag may move
    on_demand: bool = False  # an environment: built if a stage names it

    @property
    def full_name(self) -> str:
        """Return its name in a container engine."""
        if self.foreign:
            return self.foreign
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    @property
    def identity(self) -> str:
        """Return what a job's fingerprint depends on."""
        return f"{self.foreign}@{self.digest}" if self.foreign else self.full_name

    @property
    def stage(self) -> str:
        """Return the stage that builds it."""
        return f"build_{self.name.replace('-', '_')}{MARK}{ARCHITECTURES[self.platform]}"


def read(
    folder: Path, sources: Mapping[str, str], base: str, more: Mapping[str, str] = NOTHING
) -> list[Image]:
    """Return every image below the folder for each of its platforms.

    sources: digests of the code that builds them. base: where their Debian comes from. more: digests of
    the code that builds environments, in addition.
    """
    return [
        _image(path.parent, platform, {**sources, "base": base}, more)
        for path in sorted(folder.glob("*/image.yaml"))
        for platform in _definition(path).platforms
    ]


def serving(
    images: Sequence[Image], platform: str, packages: frozenset[str], runtime: str
) -> Image:
    """Return the smallest image of the platform that has all these packages; raise UserError if there
    is none.
    """
    at_hand = [image for image in images if image.platform == platform and not image.optional]
    if not at_hand:
        platforms = listed(sorted({image.platform for image in images}))
        raise UserError(
            "",
            f"there is no image for {platform}",
            f"add one in containers/; images exist for {platforms}",
        )
    best = min(
        at_hand, key=lambda image: (len(lacking(image, packages, runtime)), len(image.packages))
    )
    missing = lacking(best, packages, runtime)
    if missing:
        elsewhere = any(_names(missing[0]) & image.packages for image in images)
        fix = (
            "run the stage on the build machine: runs_on: build"
            if elsewhere
            else f"add {missing[0]} to an image in containers/"
        )
        raise UserError(
            "", f"no image for {platform} has {listed(missing)}, which the stage imports", fix
        )
    return best


def lacking(image: Image, packages: frozenset[str], runtime: str) -> list[str]:
    """Return which of these packages the image does not have."""
    return sorted(
        package for package in _needed(packages, runtime) if not _names(package) & image.packages
    )


def named(images: Sequence[Image], name: str, platform: str) -> Image | None:
    """Return the image of this name for the platform, if there is one."""
    return next(
        (image for image in images if (image.name, image.platform) == (name, platform)), None
    )


def name_in(full_name: str) -> str | None:
    """Return the image's short name, from a full name in the form made here.

    None for any other name.
    """
    match = _FULL_NAME.fullmatch(full_name)
    return match[1] if match else None


def with_code(full_name: str, code: str) -> str:
    """Return the name of the image that also contains the code with this short digest."""
    return f"{full_name}-{code}"


def _needed(packages: frozenset[str], runtime: str) -> frozenset[str]:
    runtimes = frozenset(RUNTIMES.values())
    return packages - runtimes | ({RUNTIMES[runtime]} if packages & runtimes else frozenset())


def _names(package: str) -> frozenset[str]:
    return frozenset({package.lower(), *DISTRIBUTIONS.get(package, ())})


def _image(
    folder: Path, platform: str, sources: Mapping[str, str], more: Mapping[str, str]
) -> Image:
    path = folder / "image.yaml"
    definition = _definition(path)
    if platform not in ARCHITECTURES:
        raise UserError(
            f"{path}: platforms",
            f"'{platform}' is not a platform",
            f"write {listed(ARCHITECTURES, 'or')}",
        )
    architecture = ARCHITECTURES[platform]
    parts = dict.fromkeys(_files(folder, architecture), folder.parent)
    if definition.base:
        beside = folder.parent if (folder.parent / definition.base).is_dir() else CONTAINERS
        parts |= dict.fromkeys(_files(beside / definition.base, architecture), beside)
    on_demand = (folder / ENVIRONMENT).is_file()
    builders = {**sources, **more} if on_demand else sources
    tag = f"{architecture}-{_digest(parts, builders)[:12]}"
    return Image(
        folder.name,
        platform,
        tag,
        _packages(folder, architecture),
        definition.optional,
        definition.usecase,
        on_demand=on_demand,
    )


def _definition(path: Path) -> Definition:
    from engine import yamlfile  # slow to import, and not needed for a cached request

    return validated(Definition, yamlfile.load(path), "the image is invalid", str(path))


def _files(folder: Path, architecture: str) -> list[Path]:
    """Return the image's files: those of the folder, except for those of other architectures."""
    others = tuple(f"-{name}" for name in ARCHITECTURES.values() if name != architecture)
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.stem.endswith(others)
    )


def _packages(folder: Path, architecture: str) -> frozenset[str]:
    found: set[str] = set()
    for name, pattern in (("requirements", _LOCKED), ("debian", _DEBIAN)):
        path = folder / f"{name}-{architecture}.lock"
        if path.is_file():
            found |= {
                match.lower().replace("-", "_")
                for match in pattern.findall(path.read_text(encoding="utf-8"))
            }
    return frozenset(found)


def _digest(files: Mapping[Path, Path], sources: Mapping[str, str]) -> str:
    """Return the digest of the sources and the files; each file counts with its path relative to the
    folder it is given with.
    """
    whole = hashlib.sha256(RECORD.encode())
    for path, root in files.items():
        whole.update(
            f"\0{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode()
        )
    for name, digest in sorted(sources.items()):
        whole.update(f"\0{name}\0{digest}".encode())
    return whole.hexdigest()
