"""The files of a project: listed and digested, so that they are part of a stage's fingerprint."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.digest import sha256_of
from engine.errors import UserError

MOST_FILES = 5_000
MOST_BYTES = 200_000_000
# Version control, caches, environments, and what runs leave behind: not part of a project.
_IGNORED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".DS_Store",
    }
)
_IGNORED_AT_THE_TOP = frozenset({"venv", "mlruns", "mlartifacts", "mlflow.db", "outputs"})
_IGNORED_SUFFIXES = (".pyc", ".pyo", ".swp", "~")


def digests(folder: Path, where: str) -> dict[str, str]:
    """Return the digest of each file, by its path in the project; "x" follows that of a program.

    Raise UserError for a link that leads out of the project, and for a folder that is too large to be
    a project. where: the project's location, for messages.
    """
    found: dict[str, str] = {}
    size_bytes = 0
    root = folder.resolve()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            _refuse_outside(path, root, f"{where}/{name}")
        facts = path.stat()
        size_bytes += facts.st_size
        if len(found) >= MOST_FILES or size_bytes > MOST_BYTES:
            what = f"a project has at most {MOST_FILES:,} files and {MOST_BYTES // 10**6} MB"
            raise UserError(where, what, "pass its data as an input of the stage instead")
        is_program = bool(facts.st_mode & stat.S_IXUSR)
        found[name] = sha256_of(path) + (" x" if is_program else "")
    return dict(sorted(found.items()))


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        left_out = _IGNORED | (_IGNORED_AT_THE_TOP if Path(at) == folder else frozenset())
        folders[:] = sorted(name for name in folders if name not in left_out)
        yield from (Path(at) / name for name in folders if (Path(at) / name).is_symlink())
        for name in sorted(names):
            if name not in left_out and not name.endswith(_IGNORED_SUFFIXES):
                yield Path(at) / name


def _refuse_outside(link: Path, root: Path, where: str) -> None:
    """Raise UserError unless the link leads to a file of the project."""
    target = link.resolve()
    if not target.exists():
        raise UserError(where, "the link leads nowhere", "remove it, or repair it")
    if root != target and root not in target.parents:
        what = "the link leads out of the project"
        raise UserError(where, what, "copy the file into the project, or pass it as an input")
    if target.is_dir():
        raise UserError(where, "the link leads to a folder", "replace it by a copy of the folder")
