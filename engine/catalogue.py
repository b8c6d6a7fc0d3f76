"""What there is to choose from, each by its file's name: use cases, targets and assets, the user's before the
project's.
"""

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def config_dirs(argv: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders that hold configuration: --config-dir's, then the project's own."""
    dirs = []
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        if word in ("--config-dir", "-cd"):
            dirs.append(Path(following).absolute())
        elif word.startswith("--config-dir="):
            dirs.append(Path(word.partition("=")[2]).absolute())
    return (*dirs, ROOT / "conf")


def without_config_dirs(argv: Sequence[str]) -> list[str]:
    """Return the command line without --config-dir and its value."""
    words, left = iter(argv), []
    for word in words:
        if word in ("--config-dir", "-cd"):
            next(words, None)
        elif not word.startswith("--config-dir="):
            left.append(word)
    return left


def usecases(dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the files of all use cases by name."""
    return _by_name([*(folder / "usecases" for folder in dirs[:-1]), ROOT / "usecases"])


def of_group(group: str, dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the files of all targets, assets, executors or the like by name."""
    return _by_name([folder / group for folder in dirs])


def _by_name(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found
