"""From the command line to a request: the configuration that Hydra composes, as frozen data.

The one file that composes with Hydra; engine/mistakes.py translates its errors.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import hydra
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel

from engine import asset, catalogue, foreach, plain, spec, target, yamlfile
from engine.asset import Asset
from engine.catalogue import ROOT
from engine.composed import Composed, kind_of, plain_asset
from engine.environment import READABLE
from engine.errors import UserError, did_you_mean, raise_all
from engine.fields import validated
from engine.options import CommandOptions
from engine.registration import CommandLine, register, tell_hydra
from engine.request import Request
from engine.settings import Settings
from engine.spec import UseCase
from engine.wording import as_typed

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Composition:
    """A request, and what it was made of; None for one with mistakes of form."""

    request: Request
    composed: Composed | None


def single(line: CommandLine) -> Request:
    """Return the request of a line without flags: the same as under `hydra.main`, in half the time."""
    return composition(line).request


def composition(line: CommandLine) -> Composition:
    """Compose a line without a sweep or another flag of Hydra's."""
    guard_environment()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
        config = hydra_compose(line.config_name, list(line.words), return_hydra_config=True)
    chosen = config.hydra
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return _composition(config, chosen, line)


def with_flags(line: CommandLine, task: Callable[[DictConfig], float | None]) -> None:
    """Let Hydra do what its own flags ask for, and call the task for what is left to run."""
    sys.argv = [str(ROOT / "run.py"), *line.words]
    hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=line.config_name)(
        task
    )()


def under_hydra(config: DictConfig, line: CommandLine) -> Request:
    """Return the request of what Hydra has composed for the present job."""
    return _composition(config, HydraConfig.get(), line).request


def job_number() -> int:
    """Return which job of its sweep is running."""
    return int(HydraConfig.get().job.num)


def another(request: Request, words: Sequence[str]) -> Request:
    """Compose a request of other words, with the user's configuration and in the user's folder."""
    dirs = [f"--config-dir={folder}" for folder in request.config_dirs[:-1]]
    return single(replace(register([*dirs, *words]), folder=request.roots[0]))


def outputs(line: CommandLine) -> Path:
    """Return the outputs folder of a sweep as a whole: the one that its jobs share, if the sweep is
    not over folders.
    """
    parser = OverridesParser.create()
    words = [word for word in line.words if not word.startswith("-")]
    given = zip(words, parser.parse_overrides(words), strict=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
        shared = [word for word, parsed in given if not parsed.is_sweep_override()]
        config = hydra_compose(line.config_name, shared)
    return Path(str(config.outputs))


def _composition(config: DictConfig, chosen: Any, line: CommandLine) -> Composition:
    """Return the request that the composed configuration makes; raise every mistake of form
    together.
    """
    overrides = tuple(chosen.overrides.task)
    where = as_typed(line.usecases[chosen.runtime.choices["usecase"]])
    declared = catalogue.of_group("asset", line.dirs)
    notes: list[str] = []
    mistakes: list[UserError] = []
    path_kinds: dict[str, str] = {}
    OmegaConf.set_struct(config, False)
    written = OmegaConf.to_container(config, resolve=False)
    _refuse_odd_values(written, where, overrides)  # where it was written
    settings, options = _set_here(config, line.options, overrides)
    _take_own_data(config, Path(settings.data), declared, overrides, notes, path_kinds)
    assets = _apply_assets(config, declared, overrides, where, mistakes, line.folder, path_kinds)
    reach = _reach(assets, settings, notes)
    if isinstance(config.get("target"), DictConfig):  # before ${target.runtime} is resolved
        given = cast(dict[str, Any], OmegaConf.to_container(config.target, resolve=False))
        config.target = target.completed(given)
    _expand(config, written, where, mistakes)
    data = _plain(config, where, mistakes)
    _refuse_odd_values(data, where, overrides, mistakes)
    resolved = {key: data.pop(key) for key in list(data) if key in UseCase.model_fields}
    usecase, malformed = spec.read(resolved, where)
    target_where, aim = f"conf/target/{chosen.runtime.choices['target']}.yaml", data.pop("target")
    mistakes += [*malformed, *_unknown(data, line.options, where)]
    if usecase is None:
        raise ExceptionGroup("the use case is wrong", mistakes)
    made = Request(
        usecase,
        target.parse(aim, target_where),
        where,
        assets,
        line.dirs,
        settings.model_copy(update={"until": reach}),
        options,
        _command(line, overrides),
        tuple(word for word in line.words if word.startswith(("usecase=", "target="))),
        tuple(notes),
        tuple(mistakes),
    )
    plain_data = Composed(
        where=where,
        target_where=target_where,
        usecase=resolved,
        target=aim,
        settings=made.settings.model_dump(mode="json"),
        options=options.model_dump(mode="json"),
        assets={key: plain_asset(value) for key, value in assets.items()},
        notes=notes,
        command=made.command,
        choices=made.choices_given,
        path_kinds=path_kinds,
    )
    return Composition(made, None if mistakes else plain_data)


def _set_here(
    config: DictConfig, model: type[CommandOptions], overrides: Sequence[str]
) -> tuple[Settings, CommandOptions]:
    """Return the keys of every command and the options of this one; raise all mistakes together."""
    where = "the command line"
    settings = {key: _resolved(config, key) for key in Settings.model_fields}
    options = {key: _resolved(config, key) for key in model.model_fields}
    _refuse_odd_values(settings | options, where, overrides)
    checked, wrong = _checked(Settings, settings, where)
    chosen, also_wrong = _checked(model, options, where)
    if checked is None or chosen is None:
        raise ExceptionGroup("the command line is wrong", [*wrong, *also_wrong])
    return checked, chosen


def _checked(
    model: type[ModelT], data: Mapping[str, Any], where: str
) -> tuple[ModelT | None, list[Exception]]:
    """Return the model of the data, or None and every mistake of form."""
    try:
        return validated(model, data, "the command line is wrong", where), []
    except ExceptionGroup as mistakes:
        return None, list(mistakes.exceptions)


def _command(line: CommandLine, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the words that request this run again from the current folder."""
    named = line.dirs[:-1] if line.names_dirs else ()
    flags = [word for folder in named for word in ("--config-dir", str(folder))]
    by_path = {f"usecase={name}": f"usecase={path}" for name, path in line.by_path.items()}
    return (*line.program.split(), *flags, *(by_path.get(word, word) for word in overrides))


def _take_own_data(
    config: DictConfig,
    data: Path,
    declared: Mapping[str, Path],
    overrides: Sequence[str],
    notes: list[str],
    path_kinds: dict[str, str],
) -> None:
    """Put data/<usecase>/ in the place of a sample, where the user has laid data there and named no
    other.
    """
    folder = data / str(config.get("name"))
    path_kinds[str(folder.absolute())] = kind_of(folder)
    if kind_of(folder) != "folder":
        return
    for key in _asset_keys(config):
        value = config.assets[key]
        if (
            value in declared
            and _value_of(f"assets.{key}", overrides) is None
            and _load_asset(declared[value]).sample
        ):
            config.assets[key] = str(folder)
            notes.append(f"{folder} is taken as {key}, instead of the sample {value}")


def _apply_assets(
    config: DictConfig,
    declared: Mapping[str, Path],
    overrides: Sequence[str],
    where: str,
    mistakes: list[UserError],
    folder: Path,
    path_kinds: dict[str, str],
) -> dict[str, Asset | Path | None]:
    """Resolve each asset's value, and let it set what the user has not."""
    found: dict[str, Asset | Path | None] = {}
    for key in _asset_keys(config):
        try:
            found[key] = resolved = _asset(
                key, config.assets[key], declared, where, folder, path_kinds
            )
        except UserError as mistake:
            mistakes.append(mistake)
            continue
        if isinstance(resolved, Asset):
            _set(config, resolved, overrides)
    # an asset may have set another one, such as a pose model that its data does not need
    return {key: None if config.assets[key] is None else value for key, value in found.items()}


def _asset_keys(config: DictConfig) -> list[str]:
    """Return the use case's keys of assets.

    None where it has something else in their place, which the check of its form tells.
    """
    assets = config.get("assets")
    return [key for key in assets if isinstance(key, str)] if isinstance(assets, DictConfig) else []


def _reach(
    assets: Mapping[str, Asset | Path | None], settings: Settings, notes: list[str]
) -> tuple[str, ...]:
    """Return the stages to end with: those that the user names, else those that the data can reach."""
    if settings.until:
        return settings.until
    for chosen in assets.values():
        if isinstance(chosen, Asset) and chosen.until:
            notes.append(
                f"{chosen.name} reaches {', '.join(chosen.until)} and no further stage: nothing beyond "
                "is planned"
            )
            return chosen.until
    return ()


def _set(config: DictConfig, chosen: Asset, overrides: Sequence[str]) -> None:
    for group, values in (("params", chosen.settings.params), ("assets", chosen.settings.assets)):
        for key, value in values.items():
            if _value_of(f"{group}.{key}", overrides) is None:
                OmegaConf.update(config, f"{group}.{key}", value)


def _asset(
    key: str,
    value: Any,
    declared: Mapping[str, Path],
    where: str,
    folder: Path,
    path_kinds: dict[str, str],
) -> Asset | Path | None:
    if value is None:
        return None
    if value in declared:
        return _load_asset(declared[value])
    path = Path(str(value)).expanduser()
    # a use case of the project names the project's own folders
    for candidate in (folder / path, ROOT / path) if value != "" else ():
        path_kinds[str(candidate.absolute())] = kind_of(candidate)
        if candidate.exists():
            return candidate.absolute()
    raise UserError(
        f"{where}: assets.{key}",
        f"'{value}' is neither a declared asset nor a path that exists",
        did_you_mean(str(value), declared),
    )


def _load_asset(path: Path) -> Asset:
    return asset.parse(yamlfile.load(path), as_typed(path))


def _value_of(key: str, overrides: Sequence[str]) -> str | None:
    """Return what the user wrote for the key on the command line."""
    for word in overrides:
        name, equals, value = word.partition("=")
        if equals and name.lstrip("+~") == key:
            return value
    return None


def _resolved(config: DictConfig, key: str) -> Any:
    value = config[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _expand(config: DictConfig, written: Any, where: str, mistakes: list[UserError]) -> None:
    """Put the stages of its values in the place of each stage with `foreach`, while `${...}` is
    unresolved.

    Nothing else could be checked in a use case whose foreach is wrong: its mistakes are raised at
    once.
    """
    stages = written.get("stages")
    words = ("${each.", "'foreach'", "'exclude'")
    if not isinstance(stages, dict) or not any(word in repr(stages) for word in words):
        return
    for name, key in [(name, key) for name in stages for key in ("foreach", "exclude")]:
        if isinstance(stages[name], dict) and key in stages[name]:
            try:
                stages[name][key] = _resolved(config.stages[name], key)
            except OmegaConfBaseException as error:
                location = f"{where}: stages.{name}.{key}"
                mistakes.append(_unresolved(config, location, str(error).splitlines()[0]))
    made, found = foreach.expand(stages, where)
    if found:
        raise ExceptionGroup("the use case is wrong", [*mistakes, *found])
    config.stages = made


def _plain(config: DictConfig, where: str, mistakes: list[UserError]) -> dict[str, Any]:
    """Resolve every ${...}; a wrong one is told with its place, and taken out so that the others
    are seen too.
    """
    removed: set[str] = set()
    while True:
        try:
            data = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            key = getattr(error, "full_key", "") or ""
            mistakes.append(_unresolved(config, f"{where}: {key}", str(error).splitlines()[0]))
            if not key or key in removed:
                raise ExceptionGroup("the use case is wrong", mistakes) from None
            removed.add(key)
            OmegaConf.update(config, key, None)
            continue
        assert isinstance(data, dict)
        return {str(key): value for key, value in data.items()}


def _unresolved(config: DictConfig, location: str, said: str) -> UserError:
    missing = re.search(r"Interpolation key '([^']+)' not found", said)
    if not missing:
        return UserError(location, said, "write ${params.<name>} or ${target.<key>}")
    return UserError(
        location,
        said,
        did_you_mean(missing[1], _keys(OmegaConf.to_container(config, resolve=False))),
    )


def _refuse_odd_values(
    data: Any, where: str, overrides: Sequence[str], mistakes: Sequence[UserError] = ()
) -> None:
    """Raise every value that is not plain, with the mistakes so far: no later check could deal with
    it.
    """
    found = []
    for keys, what, fix in plain.faults(data):
        key = ".".join(keys)
        value = _value_of(key, overrides)
        found.append(
            UserError(f"{where}: {key}" if value is None else f"{key}={value:.80}", what, fix)
        )
    raise_all([*mistakes, *found] if found else [])


def _keys(data: Any, prefix: str = "") -> list[str]:
    if not isinstance(data, dict):
        return [prefix.rstrip(".")]
    return [
        key
        for name, value in data.items()
        if name != "stages"
        for key in _keys(value, f"{prefix}{name}.")
    ]


def _unknown(data: Mapping[str, Any], options: type[CommandOptions], where: str) -> list[UserError]:
    """A key that is neither the use case's nor the program's is a typing mistake at the file's top
    level.
    """
    return [
        UserError(
            f"{where}: {key}",
            f"there is no key '{key}' here",
            did_you_mean(key, [*UseCase.model_fields, "defaults"]),
        )
        for key in data
        if key not in Settings.model_fields and key not in options.model_fields
    ]


def _allowed_env(name: str, default: Any = None) -> Any:
    """`oc.env` for names that hold no secrets: what is resolved here reaches logs and MLflow."""
    if not READABLE.match(name):
        raise ValueError(f"the environment variable {name} may not be read from YAML")
    return os.environ.get(name, default)


def prepare(line: CommandLine) -> None:
    """Tell Hydra of all that the line names, and let YAML read no variable that may hold a secret."""
    # Hydra prints by logging, which would show a traceback for each line that nobody reads
    logging.raiseExceptions = False
    guard_environment()
    tell_hydra(line)


def guard_environment() -> None:
    """Let YAML read no environment variable but those that hold no secret."""
    OmegaConf.register_new_resolver("oc.env", _allowed_env, replace=True)
