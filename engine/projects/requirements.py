"""What a project's environment file asks for, compared with the environment that runs it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError, UserErrors
from engine.stage.virtualenv import is_version

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)(\[[^]]*\])?\s*(.*)")
_FILE = re.compile(r"-r\s*(\S+)")


@dataclass(frozen=True, slots=True)
class PythonEnv:
    """A python_env.yaml: Python's version, and what pip installs."""

    python: str | None
    build_dependencies: tuple[str, ...]
    dependencies: tuple[str, ...]


def read(path: Path, where: str) -> PythonEnv:
    """Return the file's content, requirement files included; raise UserError for other content."""
    from engine import yamlfile  # slow to import

    try:
        data = yamlfile.load(path)
    except UserErrors as found:
        raise UserError(where, found.what, found.fix) from None
    except UserError as error:
        raise UserError(where, error.what, error.fix) from None
    return PythonEnv(
        python=str(data["python"]) if data.get("python") is not None else None,
        build_dependencies=tuple(_listed(data, "build_dependencies", path.parent, where)),
        dependencies=tuple(_listed(data, "dependencies", path.parent, where)),
    )


def differences(env: PythonEnv, installed: Mapping[str, str], python: str) -> list[str]:
    """Return what the environment lacks or has in another version, each as a phrase.

    installed: version of each distribution, by its normalised name. python: such as "3.11.7".
    """
    found = []
    if env.python and not is_version(env.python, python):
        found.append(f"Python {env.python} (this is {python})")
    for line in env.dependencies:
        match = _REQUIREMENT.fullmatch(line.partition("#")[0].partition(";")[0].strip())
        if match is None or line.startswith("-"):
            continue
        name = match[1].lower().replace("-", "_").replace(".", "_")
        has = installed.get(name)
        if has is None:
            found.append(f"{match[1]} (not installed)")
        elif not _satisfies(has, match[3]):
            found.append(f"{match[1]}{match[3]} (this is {has})")
    return found


def _listed(data: Mapping[str, Any], key: str, folder: Path, where: str) -> Iterator[str]:
    given = data.get(key) or []
    if not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
        what = "a list of requirements is expected"
        raise UserError(f"{where}: {key}", what, "write [pandas, scikit-learn==1.5.0]")
    for line in given:
        if not (match := _FILE.match(line)):
            yield line
            continue
        path = (folder / match[1]).resolve()
        if folder.resolve() not in path.parents or not path.is_file():
            what = f"the project has no file '{match[1]}'"
            raise UserError(f"{where}: {key}", what, "name a file of the project")
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = (one.partition("#")[0].strip() for one in text.splitlines())
        yield from filter(None, lines)


def _satisfies(version: str, specifier: str) -> bool:
    """Return whether a version satisfies the specifier; true for one that cannot be read."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(specifier.strip("() ")).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True
