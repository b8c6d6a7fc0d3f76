"""Where a wrong value was written: a word of the command line, or the key that another key refers to."""

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
_REFERS = re.compile(r"\$\{(params\.[\w.]+|\w+)\}")


def traced(
    mistake: UserError,
    command: Sequence[str],
    dirs: Sequence[Path],
    assets: Iterable[object] = (),
) -> UserError:
    """Return the mistake at the place where its value was written.

    mistake: at "FILE: stages.train.params.epochs", which may be `${params.epochs}` in the file
    command: the words that the user typed, such as `params.epochs=-1`
    dirs: those with configuration, whose pipeline/ holds the sub-DAGs that the file shares
    assets: those of the request, which may set parameters that the user does not
    """
    file, _, key = mistake.where.rpartition(": ")
    if key.startswith("stages.") and override.of(key, command) is None:
        content = _content(file)
        refers = _REFERS.fullmatch(str(_written(content, key, dirs)))
        is_set = refers and _value(content, refers[1]) is not _NOTHING
        if refers and (is_set or override.of(refers[1], command)):
            key = refers[1]
    where = None if override.of(key, command) else _in_asset(key, assets, dirs)
    found = UserError(where or f"{file}: {key}", mistake.what, mistake.fix)
    return override.located(found if file else mistake, command)


def _in_asset(key: str, assets: Iterable[object], dirs: Sequence[Path]) -> str | None:
    """Return where the asset that sets the parameter or another asset does so; None if none does."""
    group, _, name = key.partition(".")
    for one in assets:
        if isinstance(one, Asset) and name in getattr(one.settings, group, {}):
            path = catalogue.of_group("asset", dirs).get(one.name)
            return f"{as_typed(path)}: settings.{key}" if path else None
    return None


def _content(file: str) -> Any:
    """Return what the file holds; None if it cannot be read."""
    from engine import yamlfile  # heavy: a request that is recalled reads no YAML

    with suppress(UserError, OSError):
        return yamlfile.load(Path(file))
    return None


def _written(content: Any, key: str, dirs: Sequence[Path]) -> Any:
    """Return what the file, or else a sub-DAG that it shares, has at the key of a stage."""
    known = catalogue.of_group("pipeline", dirs)
    shared = [{"stages": _content(str(known[name]))} for name in _shared(content) if name in known]
    found = (_value(one, key) for one in [content, *shared])
    return next((value for value in found if value is not _NOTHING), _NOTHING)


def _shared(content: Any) -> list[str]:
    """Return the names of the pipelines in the file's `defaults:`."""
    defaults = content.get("defaults", []) if isinstance(content, dict) else []
    entries = [entry for entry in defaults if isinstance(entry, dict)]
    return [str(name) for entry in entries for group, name in entry.items() if "pipeline" in group]


def _value(content: Any, key: str) -> Any:
    """Return what stands at the key, which may be null; _NOTHING if nothing does."""
    for part in key.split("."):
        content = content.get(part, _NOTHING) if isinstance(content, dict) else _NOTHING
    return content
