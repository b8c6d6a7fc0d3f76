"""Finds where an invalid value was written: on the command line, or at the key that another refers to."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import catalogue, override
from engine.asset import Asset
from engine.errors import UserError
from engine.wording import as_typed

_NOTHING = object()
_REFERS = re.compile(r"\$\{((?:params|stages)\.[\w.]+|\w+)\}")


def traced(
    mistake: UserError,
    command: Sequence[str],
    dirs: Sequence[Path],
    assets: Iterable[object] = (),
) -> UserError:
    """Return the mistake, located where its value was written.

    mistake: located at "FILE: stages.train.params.epochs", which may be `${params.epochs}` in the file
    command: the words that the user typed, such as `params.epochs=-1`
    dirs: the configuration folders, whose pipeline/ contains the shared sub-DAGs
    assets: those of the request, which may set parameters that the user does not
    """
    file, _, key = mistake.where.rpartition(": ")
    if key.startswith("stages.") and override.of(key, command) is None:
        key = _referred(_content(file), key, command, dirs)
    where = None if override.of(key, command) else _in_asset(key, assets, dirs)
    found = UserError(where or f"{file}: {key}", mistake.what, mistake.fix)
    return override.located(found if file else mistake, command)


def _referred(content: Any, key: str, command: Sequence[str], dirs: Sequence[Path]) -> str:
    """Return the key that this key, or the mapping that contains it, refers to; otherwise the key itself."""
    parts = key.split(".")
    for end in range(len(parts), 2, -1):
        refers = _REFERS.fullmatch(str(_written(content, ".".join(parts[:end]), dirs)))
        is_set = refers and _value(content, refers[1]) is not _NOTHING
        if refers and (is_set or override.of(refers[1], command)):
            return ".".join([refers[1], *parts[end:]])
    return key


def _in_asset(key: str, assets: Iterable[object], dirs: Sequence[Path]) -> str | None:
    """Return the location in the asset's file that sets the key; None if no asset does."""
    group, _, name = key.partition(".")
    for one in assets:
        if isinstance(one, Asset) and name in getattr(one.settings, group, {}):
            path = catalogue.of_group("asset", dirs).get(one.name)
            return f"{as_typed(path)}: settings.{key}" if path else None
    return None


def _content(file: str) -> Any:
    """Return the file's content; None if it cannot be read."""
    from engine import yamlfile  # slow to import, and not needed for a cached request

    with suppress(UserError, OSError):
        return yamlfile.load(Path(file))
    return None


def _written(content: Any, key: str, dirs: Sequence[Path]) -> Any:
    """Return the value of a stage's key in the file, or else in a shared sub-DAG that it uses, with what
    accelerators add to it.
    """
    known = catalogue.of_group("pipeline", dirs)
    paths = [known[name] for name in _shared(content) if name in known]
    paths += catalogue.of_group("accelerator", dirs).values() if paths else ()
    shared = [{"stages": _content(str(path))} for path in paths]
    found = (_value(one, key) for one in [content, *shared])
    return next((value for value in found if value is not _NOTHING), _NOTHING)


def _shared(content: Any) -> list[str]:
    """Return the names of the pipelines in the file's `defaults:`."""
    defaults = content.get("defaults", []) if isinstance(content, dict) else []
    entries = [entry for entry in defaults if isinstance(entry, dict)]
    return [str(name) for entry in entries for group, name in entry.items() if "pipeline" in group]


def _value(content: Any, key: str) -> Any:
    """Return the key's value, which may be null; _NOTHING if there is none."""
    for part in key.split("."):
        content = content.get(part, _NOTHING) if isinstance(content, dict) else _NOTHING
    return content
