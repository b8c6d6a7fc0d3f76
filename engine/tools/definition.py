"""Environments: images whose packages a local process can have too, as a virtual environment.

containers/<image>/environment.yaml makes an image an environment. It is made from the locks of the image,
for this machine's processor, when a stage names the image. Nothing is made here.
"""

import hashlib
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine import durable, ordinary
from engine.fields import Size, validated
from engine.stage import virtualenv
from engine.stage.platforms import PLATFORMS
from engine.target import platform_of

FILE = "environment.yaml"
FOLDER = "tools"  # of the store
_RECORD = b"environment/1\n"
_MOST_BYTES = 10_000_000  # of a lock
_LOCKS = ("requirements", "sources")  # wheels, and packages that are built from source


class Definition(BaseModel):
    """containers/<image>/environment.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: str = Field(pattern=r"^3\.\d+$", description="its version of Python, such as 3.11")
    size: Size = Field(description="what it needs on the disk, such as 2G")
    licence: str | None = Field(None, description="shown when it is made for the first time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment for one kind of processor."""

    name: str  # of the image
    python: str
    size_bytes: int
    licence: str | None
    locks: tuple[Path, ...]
    digest: str  # of the locks and the version of Python

    @property
    def identity(self) -> str:
        """Return what a job's fingerprint depends on, and the name of its folder."""
        return f"{self.name}-{self.digest[:20]}"

    @property
    def packages(self) -> int:
        """Return how many packages it has."""
        lines = (line for lock in self.locks for line in lock.read_text("utf-8").splitlines())
        return sum("==" in line for line in lines)

    def folder(self, store: Path) -> Path:
        """Return its folder below the store, which may not exist yet."""
        return store.absolute() / FOLDER / self.identity

    def remember(self, store: Path, what: str, fix: str) -> None:
        """Record that it could not be installed, why, and what helps."""
        durable.write_whole(self._failed(store), f"{what}\n{fix}\n".encode())

    def forget(self, store: Path) -> None:
        """Remove the record of a failed installation."""
        self._failed(store).unlink(missing_ok=True)

    def failure(self, store: Path) -> tuple[str, str] | None:
        """Return why the last installation failed, and what helps; None if none failed."""
        path = self._failed(store)
        if self.is_made(store) or not path.is_file():
            return None
        what, _, fix = path.read_text("utf-8").strip().partition("\n")
        return what, fix

    def bin(self, store: Path) -> Path:
        """Return the folder of its programs."""
        return self.folder(store) / "bin"

    def interpreter(self, store: Path) -> Path:
        """Return the path of its Python."""
        return virtualenv.python_of(self.folder(store))

    def is_made(self, store: Path) -> bool:
        """Return whether it is complete."""
        return virtualenv.is_made(self.folder(store))

    def obstacle(self, store: Path) -> str:
        """Return why it cannot be made below the store; empty if nothing is known to prevent it."""
        if self.is_made(store):
            return ""
        if virtualenv.find_python(self.python) is None:
            return f"it needs Python {self.python}, which is not installed here"
        there = next(folder for folder in (store, *store.absolute().parents) if folder.exists())
        free = shutil.disk_usage(there).free
        if free < self.size_bytes:
            needed = f"{self.size_bytes / 1e9:.1f} GB on the disk"
            return f"it needs {needed}, and {free / 1e9:.1f} GB are free"
        return ""

    def _failed(self, store: Path) -> Path:
        return store.absolute() / FOLDER / f"{self.identity}.failed"


def find(roots: Sequence[Path], name: str, on: str) -> Environment | None:
    """Return the environment of this image for a platform such as linux/amd64.

    None if the image is none, or has no locks for the platform. roots: folders with containers/, of which
    the first that has the image counts.
    """
    folder = _folder(roots, name)
    return _read(folder, on) if folder else None


def is_environment(roots: Sequence[Path], name: str) -> bool:
    """Return whether the image is an environment, on whatever platform."""
    return _folder(roots, name) is not None


def here(roots: Sequence[Path]) -> list[tuple[str, Environment | None]]:
    """Return the names of all environments, each with the one for this machine, if it exists."""
    names = {path.parent.name for root in roots for path in root.glob(f"containers/*/{FILE}")}
    on = platform_of(platform.machine())
    return [(name, find(roots, name, on)) for name in sorted(names) if is_environment(roots, name)]


def why(what: str, fix: str, stage: str) -> str:
    """Return why an environment could not be made, and how it is tried again.

    stage: one that names it.
    """
    return f"{what} ({fix}; to try again, repeat the command with force={stage})"


def lacking(name: str, why: str) -> str:
    """Return the note for a run whose stages do without the environment."""
    return f"the environment {name} is not available: {why}; stages that name it run without it"


def _folder(roots: Sequence[Path], name: str) -> Path | None:
    """Return the folder of the image if it is an environment; the first root that has the image counts."""
    found = (root / "containers" / name for root in roots)
    folder = next((one for one in found if (one / "image.yaml").is_file()), None)
    return folder if folder and (folder / FILE).is_file() else None


def _read(folder: Path, on: str) -> Environment | None:
    if on not in PLATFORMS:
        return None
    locks = tuple(folder / f"{name}-{PLATFORMS[on].arch}.lock" for name in _LOCKS)
    if not locks[0].is_file():
        return None
    from engine import yamlfile  # slow to import

    path = folder / FILE
    known = validated(Definition, yamlfile.load(path), "the environment is invalid", str(path))
    there = tuple(lock for lock in locks if lock.is_file())
    return Environment(
        name=folder.name,
        python=known.python,
        size_bytes=known.size,
        licence=known.licence,
        locks=there,
        digest=_digest(there, known.python, on),
    )


def _digest(locks: Sequence[Path], python: str, on: str) -> str:
    whole = hashlib.sha256(_RECORD + f"{python}\0{on}".encode())
    for lock in locks:
        whole.update(f"\0{lock.name}\0".encode() + ordinary.read(lock, _MOST_BYTES))
    return whole.hexdigest()
