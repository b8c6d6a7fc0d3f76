"""The code that jobs import, as one folder for images that contain it.

Executors of this machine mount the code instead: engine/containers/binds.py. Tests, caches and hidden
files are left out.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import digest, handles
from engine.catalogue import ROOT
from engine.errors import UserError

INSIDE = "/opt/rpi-mlops"  # where images contain it
SHORT = 12  # digits of its digest in an image's tag
_RECORD = b"code/1\n"
_ENGINE = ("engine/__init__.py", "engine/stage")  # the part of the engine that a job needs
_LEFT_OUT = ("__pycache__", "tests")
_SUFFIXES = (".pyc", ".pyo", "~")
_KEPT_S = 24 * 3600.0  # how long an unused folder is kept


@dataclass(frozen=True, slots=True)
class JobCode:
    """The files of all packages; the roots are numbered in the order in which Python searches them."""

    files: tuple[
        tuple[str, Path], ...
    ]  # path in the folder, such as 0/stages/pose/train.py; source
    digest: str

    @property
    def short(self) -> str:
        """Return the digest's part of an image's tag."""
        return self.digest[:SHORT]


def find(roots: Sequence[Path], packages: Sequence[str]) -> JobCode:
    """Return the code of these packages in these folders, and of the engine's part in every job.

    Raise UserError if a file cannot be read.
    """
    files = tuple(sorted(_files(tuple(dict.fromkeys(roots)), packages)))
    return JobCode(files, _digest(files))


def lay_out(code: JobCode, store: Path) -> Path:
    """Copy the code to a folder below the store that is named by its digest, and return the folder.

    Raise UserError if it has changed since it was found.
    """
    folder = store / "code" / code.digest
    partial = folder.with_name(f".{code.short}.{uuid.uuid4().hex[:8]}")
    try:
        for name, path in code.files:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / name)
            (partial / name).chmod(0o755 if _is_executable(path) else 0o644)
        if _digest([(name, partial / name) for name, _ in code.files]) != code.digest:
            what = "the code of stages changed while it was copied"
            raise UserError("stage_packages", what, "repeat the command")
        handles.remove(folder)
        partial.rename(folder)
    finally:
        handles.remove(partial)
    _remove_old(folder)
    return folder


def _digest(files: Sequence[tuple[str, Path]]) -> str:
    whole = hashlib.sha256(_RECORD)
    try:
        for name, path in files:
            mark = "x" if _is_executable(path) else "-"
            whole.update(f"{mark} {digest.sha256_of(path)} ".encode() + os.fsencode(name) + b"\0")
    except OSError as error:
        raise UserError(
            str(error.filename),
            f"it cannot be read: {error.strerror}",
            "make it readable: chmod a+r",
        ) from None
    return whole.hexdigest()


def _files(roots: Sequence[Path], packages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for number, root in enumerate(roots):
        parts = [*packages, *(_ENGINE if root == ROOT else ())]
        for part in dict.fromkeys(parts):
            for path in _below(root / part):
                yield f"{number}/{path.relative_to(root).as_posix()}", path


def _below(top: Path) -> Iterator[Path]:
    """Yield the files of a package; links are followed."""
    if top.is_file():
        yield top
    if not top.is_dir():
        return
    digest.refuse_endless(str(top), top)
    for folder, folders, names in os.walk(top, followlinks=True):
        folders[:] = filter(_is_wanted, folders)
        for name in filter(_is_wanted, names):
            yield Path(folder) / name


def _is_wanted(name: str) -> bool:
    return not (name.startswith(".") or name in _LEFT_OUT or name.endswith(_SUFFIXES))


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _remove_old(used: Path) -> None:
    """Remove the folders of earlier versions that no other engine is likely to use."""
    os.utime(used)
    for folder in used.parent.iterdir():
        if folder != used and time.time() - folder.stat().st_mtime > _KEPT_S:
            handles.remove(folder)
