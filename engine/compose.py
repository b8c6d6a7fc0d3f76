"""Turns a command line into a request: the configuration that Hydra composes, as frozen data.

Only this file composes with Hydra; engine/mistakes.py translates its errors.
"""

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import hydra
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel

from engine import (
    asset_choice,
    catalogue,
    interpolation,
    main_config,
    override,
    run_names,
    spec,
    spelling,
    target,
)
from engine.catalogue import ROOT
from engine.composed import Composed, plain_asset
from engine.environment import READABLE
from engine.errors import UserError, did_you_mean, raise_all
from engine.fields import validated
from engine.options import CommandOptions
from engine.registration import CommandLine, register, tell_hydra
from engine.request import Request
from engine.settings import Settings
from engine.spec import UseCase
from engine.wording import PROGRAM, as_typed

COMMAND_LINE = "the command line"
_ONE_BY_ONE = _GRID = "basic"  # the names of Hydra's own launcher and sweeper
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Composition:
    """A request and what it was composed from; None if it does not validate."""

    request: Request
    composed: Composed | None


def single(line: CommandLine) -> Request:
    """Return the request of a line without flags: the same as with `hydra.main`, in half the time."""
    return composition(line).request


def composition(line: CommandLine) -> Composition:
    """Compose a line that has neither a sweep nor any other Hydra flag."""
    guard_environment()
    with _hydra():
        config = hydra_compose(line.config_name, list(line.words), return_hydra_config=True)
    chosen = config.hydra
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return _composition(config, chosen, line)


@contextmanager
def _hydra() -> Iterator[None]:
    """Let Hydra compose the project's configuration, also while it runs a sweep: there is one at a
    time.
    """
    instance = GlobalHydra.instance()
    running, instance.hydra = instance.hydra, None
    try:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
            yield
    finally:
        GlobalHydra.instance().hydra = running  # Hydra has replaced the instance


def with_flags(line: CommandLine, task: Callable[[DictConfig], object]) -> None:
    """Let Hydra handle its own flags, and call the task for what is left to run."""
    called = str(ROOT / "run.py") if line.program == PROGRAM else line.program
    sys.argv = [called, *line.words]  # Hydra completes for this program name
    hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=line.config_name)(
        task
    )()


def under_hydra(config: DictConfig, line: CommandLine) -> Request:
    """Return the request that Hydra has composed for the current job of a sweep."""
    made = _composition(config, HydraConfig.get(), line).request
    return numbered(made, job_number()) if is_sweep() else made


def numbered(made: Request, number: int) -> Request:
    """Return the request of a job: all jobs of a sweep get the same name, so its number is added."""
    if made.settings.run_name is None:
        return made
    name = run_names.free(made.outputs, f"{made.settings.run_name}-{number}")
    return replace(made, settings=made.settings.model_copy(update={"run_name": name}))


def is_sweep() -> bool:
    """Return whether Hydra runs a job of a sweep, and not a single one with a flag."""
    return str(HydraConfig.get().mode) == "RunMode.MULTIRUN"


def job_number() -> int:
    """Return the number of the running job in its sweep, from 1."""
    return int(HydraConfig.get().job.num) + 1


def sweeper_keys() -> Mapping[str, Any]:
    """Return the keys of the sweeper that runs the job."""
    return cast(Mapping[str, Any], HydraConfig.get().sweeper)


def job_changes(keys: Sequence[str]) -> tuple[str, ...]:
    """Return those overrides of the running job whose keys the sweep varies."""
    words = [str(word).lstrip("+~") for word in HydraConfig.get().overrides.task]
    return tuple(override.as_typed(one) for one in words if one.partition("=")[0] in keys)


def another(request: Request, words: Sequence[str]) -> Request:
    """Compose another command line with the same user configuration and in the same folder."""
    dirs = [f"--config-dir={folder}" for folder in request.config_dirs[:-1]]
    return single(replace(register([*dirs, *words]), folder=request.roots[0]))


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What is known about a sweep before its first job."""

    outputs: Path  # that its jobs share, unless the sweep varies it
    keys: tuple[str, ...]  # that its jobs vary
    count: int | None  # of its jobs; None if its sweeper decides that on the way
    launcher: str
    sweeper: str
    tracking: Mapping[str, object]  # conf/tracking/<name>.yaml

    @property
    def is_parallel(self) -> bool:
        """Return whether several jobs may run at the same time."""
        return self.launcher != _ONE_BY_ONE


def sweep_plan(line: CommandLine) -> SweepPlan:
    """Return the plan of the sweep that the line asks for."""
    parser = OverridesParser.create()
    words = [word for word in line.words if not word.startswith("-")]
    given = parser.parse_overrides(words)
    shared = [word for word, one in zip(words, given, strict=True) if not one.is_sweep_override()]
    with _hydra():
        config = hydra_compose(line.config_name, shared, return_hydra_config=True)
    chosen, params = config.hydra.runtime.choices, config.hydra.sweeper.get("params") or {}
    given = [*parser.parse_overrides([f"{key}={value}" for key, value in params.items()]), *given]
    varied = [one for one in given if one.is_sweep_override()]
    sweeper = str(chosen["hydra/sweeper"])
    return SweepPlan(
        Path(str(config.outputs)).absolute(),  # its workers may have another current folder
        tuple(dict.fromkeys(one.get_key_element().lstrip("+~") for one in varied)),
        _count(given) if sweeper == _GRID else _trials(config.hydra.sweeper),
        str(chosen["hydra/launcher"]),
        sweeper,
        cast(Mapping[str, object], OmegaConf.to_container(config.tracking)),
    )


def _trials(sweeper: Mapping[str, Any]) -> int | None:
    """Return the number of jobs of a search; None for a grid, which may have fewer."""
    count = sweeper.get("n_trials")
    is_grid = "sampler" in sweeper and sweeper["sampler"].get("name") == "grid"
    return count if isinstance(count, int) and not is_grid else None


def _count(overrides: Sequence[Override]) -> int | None:
    """Return the number of jobs of Hydra's own sweeper: of all combinations of the values."""
    if any(one.is_sweep_override() and not one.is_discrete_sweep() for one in overrides):
        return None  # it refuses an interval
    last = {one.get_key_element(): one for one in overrides}
    sizes = [
        sum(1 for _ in one.sweep_iterator()) for one in last.values() if one.is_sweep_override()
    ]
    return math.prod(sizes)


def stage_keys(line: CommandLine) -> list[str]:
    """Return the keys of all stages of the line's use case, without its overrides of single keys."""
    groups = [word for word in line.words if word.startswith(("usecase=", "target="))]
    with _hydra():
        config = hydra_compose(line.config_name, groups)
    stages = OmegaConf.to_container(config.get("stages") or OmegaConf.create(), resolve=False)
    return list(_keys("stages", stages))


def _keys(prefix: str, value: Any) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield f"{prefix}.{name}"
        yield from _keys(f"{prefix}.{name}", inner)


def _composition(config: DictConfig, chosen: Any, line: CommandLine) -> Composition:
    """Return the request of the composed configuration; raise all validation errors together, each
    located where its value was written.
    """
    overrides = tuple(chosen.overrides.task)
    try:
        return _checked_composition(config, chosen, line, overrides)
    except ExceptionGroup as found:
        raise found.derive([_located(one, line, overrides) for one in found.exceptions]) from None


def _located(mistake: Exception, line: CommandLine, overrides: Sequence[str]) -> Exception:
    """Return the mistake, located at the override or the project file that caused it."""
    if not isinstance(mistake, UserError):
        return mistake
    found = override.located(mistake, overrides)
    place, _, key = found.where.partition(": ")
    path = main_config.file_of(key, line.dirs) if place == COMMAND_LINE else None
    return UserError(f"{as_typed(path)}: {key}", found.what, found.fix) if path else found


def _checked_composition(
    config: DictConfig, chosen: Any, line: CommandLine, overrides: tuple[str, ...]
) -> Composition:
    where = as_typed(line.usecases[chosen.runtime.choices["usecase"]])
    declared = catalogue.of_group("asset", line.dirs)
    notes: list[str] = []
    mistakes: list[UserError] = []
    path_kinds: dict[str, str] = {}
    OmegaConf.set_struct(config, False)
    written = OmegaConf.to_container(config, resolve=False)
    interpolation.refuse_odd_values(written, where, overrides)  # where it was written
    _refuse_no_mappings(written, where)
    settings, options = _set_here(config, line.options, overrides)
    asset_choice.take_own_data(config, Path(settings.data), declared, overrides, notes, path_kinds)
    # a use case may name folders of its project; a use case that we ship names folders of the checkout
    folders = (line.folder, line.project, ROOT)
    assets = asset_choice.apply(config, declared, overrides, where, mistakes, folders, path_kinds)
    reach = asset_choice.reach(assets, settings, notes)
    if isinstance(config.get("target"), DictConfig):  # before ${target.runtime} is resolved
        given = cast(dict[str, object], OmegaConf.to_container(config.target, resolve=False))
        config.target = target.completed(given)
    interpolation.expand(config, written, where, mistakes)
    data = interpolation.plain_data(config, where, mistakes)
    interpolation.refuse_odd_values(data, where, overrides, mistakes)
    resolved = {key: data.pop(key) for key in list(data) if key in UseCase.model_fields}
    usecase, malformed = spec.read(resolved, where)
    target_where, aim = f"conf/target/{chosen.runtime.choices['target']}.yaml", data.pop("target")
    mistakes += [*malformed, *_unknown(data, line.options, where)]
    if usecase is None:
        raise ExceptionGroup("the use case is invalid", mistakes)
    made = Request(
        usecase,
        target.parse(aim, target_where),
        where,
        assets,
        line.dirs,
        settings.model_copy(update={"until": reach}),
        options,
        command_of(line, overrides),
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


def _refuse_no_mappings(written: Any, where: str) -> None:
    """Raise an error for a section that is not a mapping: otherwise every reference into it would be
    another error.
    """
    raise_all(
        [
            UserError(
                f"{where}: {key}",
                f"a mapping is expected (it is {spelling.shown(written[key]):.80})",
                "write 'key: value' lines below it",
            )
            for key in ("params", "assets", "stages")
            if key in written and not isinstance(written[key], dict)
        ]
    )


def _set_here(
    config: DictConfig, model: type[CommandOptions], overrides: Sequence[str]
) -> tuple[Settings, CommandOptions]:
    """Return the keys common to all commands and the options of this one; raise all mistakes together."""
    where = COMMAND_LINE
    settings = {key: interpolation.resolved(config, key) for key in Settings.model_fields}
    options = {key: interpolation.resolved(config, key) for key in model.model_fields}
    interpolation.refuse_odd_values(settings | options, where, overrides)
    checked, wrong = _checked(Settings, settings, where)
    chosen, also_wrong = _checked(model, options, where)
    if checked is None or chosen is None:
        raise ExceptionGroup("the command line is invalid", [*wrong, *also_wrong])
    return checked, chosen


def _checked(
    model: type[ModelT], data: Mapping[str, object], where: str
) -> tuple[ModelT | None, list[Exception]]:
    """Return the model of the data, or None and every validation error."""
    try:
        return validated(model, data, "the command line is invalid", where), []
    except ExceptionGroup as mistakes:
        return None, list(mistakes.exceptions)


def command_of(line: CommandLine, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the command with these overrides instead of the line's, for the current folder."""
    named = line.dirs[:-1] if line.names_dirs else ()
    flags = [word for folder in named for word in ("--config-dir", str(folder))]
    by_path = {f"usecase={name}": f"usecase={path}" for name, path in line.by_path.items()}
    # without the run's name, which another run cannot have
    typed = [override.as_typed(word) for word in overrides if not word.startswith("run_name=")]
    return (*line.program.split(), *flags, *(by_path.get(word, word) for word in typed))


def _unknown(
    data: Mapping[str, object], options: type[CommandOptions], where: str
) -> list[UserError]:
    """Return a mistake for each top-level key that neither a use case nor the program has."""
    return [
        UserError(
            f"{where}: {key}",
            f"there is no key '{key}' here",
            did_you_mean(key, [*UseCase.model_fields, "defaults"]),
        )
        for key in data
        if key not in Settings.model_fields and key not in options.model_fields
    ]


def _allowed_env(name: str, default: object = None) -> object:
    """Resolve `oc.env` only for variables that hold no secrets: the values reach logs and MLflow."""
    if not READABLE.match(name):
        raise ValueError(f"YAML may not read the environment variable {name}")
    return os.environ.get(name, default)


def prepare(line: CommandLine) -> None:
    """Set up Hydra's search path for the line, and keep YAML from reading variables with secrets."""
    # Hydra prints through logging, which prints a traceback for each line if the reader has gone
    logging.raiseExceptions = False
    guard_environment()
    tell_hydra(line)


def guard_environment() -> None:
    """Keep YAML from reading environment variables that may hold secrets."""
    OmegaConf.register_new_resolver("oc.env", _allowed_env, replace=True)
