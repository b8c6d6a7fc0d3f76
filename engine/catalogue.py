"""Lists use cases, targets, assets and the like by file name; the user's take precedence over the
project's.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT_FILE = (
    "project.yaml"  # in conf/: a user project's values, which override the engine's defaults
)

_OF_A_PROJECT = (
    "usecases/*.yaml",
    "conf/usecases/*.yaml",
    "conf/target/*.yaml",
    "conf/asset/*.yaml",
)


def config_dirs(argv: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders that hold configuration: the user's, then the project's own.

    The user's are those of --config-dir; without it, conf/ with a project.yaml in the current
    folder or the nearest one above it.
    """
    dirs = []
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        if word in ("--config-dir", "-cd"):
            dirs.append(Path(following).absolute())
        elif word.startswith("--config-dir="):
            dirs.append(Path(word.partition("=")[2]).absolute())
    if not dirs:
        found = (folder / "conf" for folder in _upwards())
        dirs = [next((one for one in found if (one / PROJECT_FILE).is_file()), ROOT / "conf")]
    return tuple(dict.fromkeys((*dirs, ROOT / "conf")))


def project(dirs: Sequence[Path]) -> Path:
    """Return the folder that holds data/ and outputs/, whatever the current folder is.

    It is the folder of the user's configuration, which --config-dir may name; or else the nearest
    folder, from the current one upwards, that has its own use cases or configuration; or else the
    engine's checkout.
    """
    if len(dirs) > 1:
        return root_of(dirs[0])
    return next(filter(_is_project, _upwards()), ROOT)


def name_of(stem: str) -> str | None:
    """Return the name, for folders and MLflow, of a use case whose file has none: `etat` for état.yaml,
    `my_case` for "my case.yaml". None if no letter is left.
    """
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", letters).strip("_")
    return name if re.match(r"[A-Za-z]", name) else None


def _is_project(folder: Path) -> bool:
    return (folder / "conf" / PROJECT_FILE).is_file() or any(
        any(folder.glob(pattern)) for pattern in _OF_A_PROJECT
    )


def _upwards() -> Iterator[Path]:
    here = Path.cwd()
    yield from (here, *here.parents)


def root_of(config_dir: Path) -> Path:
    """Return the folder of a user's stages, use cases and images: the parent of conf/."""
    return config_dir.parent if config_dir.name == "conf" else config_dir


def without_config_dirs(argv: Sequence[str]) -> list[str]:
    """Return the command line without --config-dir and its value."""
    words, left = iter(argv), []
    for word in words:
        if word in ("--config-dir", "-cd"):
            next(words, None)
        elif not word.startswith("--config-dir="):
            left.append(word)
    return left


def names_config_dirs(argv: Sequence[str]) -> bool:
    """Return whether the user names a folder with --config-dir."""
    return len(without_config_dirs(argv)) < len(argv)


def usecases(dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the files of all use cases by name."""
    own = [
        root / "usecases"
        for folder in dirs[:-1]
        for root in dict.fromkeys((folder, root_of(folder)))
    ]
    return _by_name([*own, ROOT / "usecases"])


def of_group(group: str, dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the files of all targets, assets, executors or the like by name."""
    return _by_name([folder / group for folder in dirs])


def _by_name(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found
