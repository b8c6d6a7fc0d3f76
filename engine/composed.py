"""The composition of a command line as plain data for JSON, and the request made from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine import handles, spec, target
from engine.asset import Asset
from engine.durable import write_whole
from engine.errors import raise_all
from engine.fields import validated
from engine.registration import CommandLine
from engine.request import Request
from engine.settings import Settings
from engine.wording import redact

FILE_NAME = "request.json"  # in a run's folder
_MOST_BYTES = 64_000_000


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


def of(request: Request) -> Composed:
    """Return the configuration of a request, which leads to the same request again."""
    return Composed(
        where=request.where,
        target_where=f"conf/target/{request.target.name}.yaml",
        usecase=request.usecase.model_dump(mode="json"),
        target=request.target.model_dump(mode="json"),
        settings=request.settings.model_dump(mode="json"),
        options={},
        assets={key: plain_asset(value) for key, value in request.assets.items()},
        notes=request.notes,
        command=request.command,
        choices=request.choices_given,
        path_kinds={},
    )


def record(run_dir: Path, request: Request) -> None:
    """Write the configuration into the run's folder, without credentials."""
    text = json.dumps(asdict(of(request)), indent=1, ensure_ascii=False)
    write_whole(
        run_dir / FILE_NAME, redact(text).encode("utf-8", "backslashreplace"), durable=False
    )


def recorded(run_dir: Path, line: CommandLine) -> Request | None:
    """Return the request in the run's folder; None if it is missing or not readable.

    line: without options, and with the configuration folders in which stages are searched for
    """
    try:
        data = handles.read(run_dir / FILE_NAME, _MOST_BYTES)
        return request(Composed(**json.loads(data)), line)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ExceptionGroup):
        return None


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
