"""The composition of a command line as plain data for JSON, and the request made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import spec, target
from engine.asset import Asset
from engine.errors import raise_all
from engine.fields import validated
from engine.registration import CommandLine
from engine.request import Request
from engine.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A valid, resolved configuration, and the paths that were examined to make it."""

    where: str  # the use case's file, for messages
    target_where: str
    usecase: Mapping[str, object]
    target: Mapping[str, object]
    settings: Mapping[str, object]
    options: Mapping[str, object]
    assets: Mapping[str, object]  # key -> null, a path, or the content of an asset's YAML
    notes: Sequence[str]
    command: Sequence[str]
    choices: Sequence[str]
    path_kinds: Mapping[
        str, str
    ]  # what was found at these paths (`kind_of`): the rest depends on it


def request(composed: Composed, line: CommandLine) -> Request:
    """Return the request of a configuration, validated again as if it had just been composed."""
    usecase, mistakes = spec.read(composed.usecase, composed.where)
    raise_all(mistakes)
    assert usecase is not None
    where = "the command line"
    return Request(
        usecase,
        target.parse(composed.target, composed.target_where),
        composed.where,
        {key: _asset(value) for key, value in composed.assets.items()},
        line.dirs,
        validated(Settings, composed.settings, "the command line is invalid", where),
        validated(line.options, composed.options, "the command line is invalid", where),
        tuple(composed.command),
        tuple(composed.choices),
        tuple(composed.notes),
    )


def kind_of(path: Path) -> str:
    """Return what is at the path, as far as composing a request depends on it."""
    if not path.exists():
        return "absent"
    if not path.is_dir():
        return "file"
    return "folder" if any(path.iterdir()) else "empty folder"


def plain_asset(value: Asset | Path | None) -> object:
    """Return the value of an asset's key as plain data."""
    return value.model_dump(mode="json") if isinstance(value, Asset) else value and str(value)


def _asset(value: Any) -> Asset | Path | None:
    if isinstance(value, Mapping):
        return Asset.model_validate(value)
    return None if value is None else Path(value)
