"""From the command line to a request: use cases registered with Hydra, and the configuration it composes as
frozen data.

The one file below run.py that knows Hydra and OmegaConf.
"""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine import asset, catalogue, foreach, plain, spec, target, yamlfile
from engine import settings as _settings
from engine.asset import Asset
from engine.catalogue import ROOT
from engine.errors import UserError, did_you_mean, raise_all
from engine.settings import Settings
from engine.spec import UseCase
from engine.target import Target
from engine.wording import as_typed

DEFAULT_USECASE = "pose_activity"  # conf/config.yaml's
_GROUPS = ("target", "executor", "tracking", "pipeline")
_USECASE = re.compile(r"(?:\+{0,2})usecase=(.*)")
_NO_CHOICE = re.compile(r"~(usecase|target|executor|tracking)(@.*|=.*)?")
_NO_NAME = re.compile(
    r"(target|executor|tracking)=(null|true|false|nan|inf|[\[{].*|[-+.\d][-+.\deE_]*)", re.IGNORECASE
)
_ENV_ALLOWED = re.compile(r"(?:RPI_|MLFLOW_TRACKING_URI$|HOME$|USER$)")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for, composed and checked for form."""

    usecase: UseCase
    target: Target
    where: str  # the use case's file, for messages
    assets: Mapping[str, Asset | Path | None]  # what each key of the use case means
    config_dirs: tuple[Path, ...]  # the user's first, the project's last
    settings: Settings  # the other keys of conf/config.yaml
    command: tuple[str, ...]  # what to type for this run alone, which in a sweep is one of many
    choices_given: tuple[str, ...]  # the words that chose a use case or a target
    notes: tuple[str, ...]
    mistakes: tuple[UserError, ...] = ()  # of form, in a use case of which the rest can be checked

    @property
    def outputs(self) -> Path:
        """Return the absolute outputs folder."""
        return Path(self.settings.outputs).absolute()

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return where stages are looked for: the user's folders, this one, the project."""
        return (*(d.parent if d.name == "conf" else d for d in self.config_dirs[:-1]), ROOT)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the user typed, as Hydra takes it."""

    words: tuple[str, ...]  # a use case given by its path stands there by its name; without --config-dir
    dirs: tuple[Path, ...]  # with configuration: the user's first, the project's last
    usecases: Mapping[str, Path]  # all by name, those given by path among them
    by_path: Mapping[str, Path]  # those alone
    folder: Path = Path()  # relative paths of assets begin here; the current one


def register(argv: Sequence[str]) -> CommandLine:
    """Tell Hydra of the use cases that the command line names, and return it as Hydra takes it."""
    dirs = catalogue.config_dirs(argv)
    known = catalogue.usecases(dirs)
    by_path: dict[str, Path] = {}
    chosen: list[str] = []
    words = []
    for word in catalogue.without_config_dirs(argv):
        if dropped := _NO_CHOICE.fullmatch(word):
            raise UserError(
                word,
                f"there is no run without {dropped[1]}",
                f"leave the word out, or write {dropped[1]}=NAME",
            )
        if nameless := _NO_NAME.fullmatch(word):
            group = nameless[1]
            raise UserError(
                word, "a name is expected here", did_you_mean(nameless[2], catalogue.of_group(group, dirs))
            )
        match = _USECASE.fullmatch(word)
        for value in match[1].split(",") if match else ():
            path = _path_of(value, known)
            by_path |= {} if value in known else {path.stem: path}
            chosen.append(path.stem)
        words.append("usecase=" + ",".join(chosen) if match else word)
    files = known | by_path
    for name in (
        chosen if len(chosen) == 1 else {DEFAULT_USECASE, *chosen}
    ):  # a sweep is composed from the default first
        _register_usecase(name, files[name])
    for name in files.keys() - {DEFAULT_USECASE, *chosen} if _asks_hydra(words) else ():
        with suppress(UserError):  # of a use case that nobody chose
            _register_usecase(name, files[name])
    for folder in dirs[:-1]:
        _register_groups(folder)
    return CommandLine(tuple(words), dirs, files, by_path)


def _path_of(value: str, known: Mapping[str, Path]) -> Path:
    """Return the file of a use case given by name or by path, or raise."""
    if value in known:
        return known[value]
    path = Path(value)
    if not (value.endswith((".yaml", ".yml")) or "/" in value):
        raise UserError(f"usecase={value}", "there is no such use case", did_you_mean(value, known))
    if not path.is_file():
        raise UserError(f"usecase={value}", "there is no such file", did_you_mean(path.stem, known))
    return path


def _asks_hydra(words: Sequence[str]) -> bool:
    """True where Hydra is asked what there is, and so must know of every use case."""
    return any(
        word in ("--help", "-h", "--shell-completion", "--hydra-help") or word.startswith(("--info", "-sc"))
        for word in words
    )


def _register_usecase(name: str, path: Path) -> None:
    node = _loaded(path)
    node.setdefault("name", name)
    ConfigStore.instance().store(group="usecase", name=name, node=node, package="_global_")


def _loaded(path: Path) -> dict[str, Any]:
    """Return what a file holds that Hydra shall compose, which takes a wrong `defaults:` for a fault of the
    program.
    """
    node = yamlfile.load(path)
    defaults = node.get("defaults", [])
    if not isinstance(defaults, list) or not all(map(_is_choice, defaults)):
        raise UserError(
            f"{as_typed(path)}: defaults",
            "a list of choices is expected",
            "write a line '- /pipeline@stages: edge_export', or '- _self_'",
        )
    return node


def _is_choice(item: Any) -> bool:
    """True for `_self_` and the like, and for `group: name`, as Hydra's defaults lists have them."""
    return isinstance(item, str) or (
        isinstance(item, dict) and len(item) == 1 and isinstance(next(iter(item.values())), str | list | None)
    )


def _register_groups(folder: Path) -> None:
    """Tell Hydra of a user's targets and the like. It gets no search path: any folder there, such as
    outputs/, would become a config group and hide the key of that name.
    """
    for group in _GROUPS:
        for path in sorted((folder / group).glob("*.yaml")):
            ConfigStore.instance().store(group=group, name=path.stem, node=_loaded(path))


def single(line: CommandLine) -> Request:
    """Compose a request without sweep or other flag of Hydra's: the same result as under `hydra.main`, in
    half the time.
    """
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
        config = hydra_compose("config", list(line.words), return_hydra_config=True)
    chosen = config.hydra
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return request(config, chosen, line)


def another(request: Request, words: Sequence[str]) -> Request:
    """Compose a request of other words, with the user's configuration and in the user's folder."""
    dirs = [f"--config-dir={folder}" for folder in request.config_dirs[:-1]]
    return single(replace(register([*dirs, *words]), folder=request.roots[0]))


def outputs(line: CommandLine) -> Path:
    """Return the outputs folder of a sweep as a whole: the one that its jobs share, if the sweep is not over
    folders.
    """
    parser = OverridesParser.create()
    words = [word for word in line.words if not word.startswith("-")]
    given = zip(words, parser.parse_overrides(words), strict=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
        config = hydra_compose("config", [word for word, parsed in given if not parsed.is_sweep_override()])
    return Path(str(config.outputs))


def request(config: DictConfig, hydra: Any, line: CommandLine) -> Request:
    """Return the request that the composed configuration makes; raise every mistake of form together."""
    overrides = tuple(hydra.overrides.task)
    where = as_typed(line.usecases[hydra.runtime.choices["usecase"]])
    declared = catalogue.of_group("asset", line.dirs)
    notes: list[str] = []
    mistakes: list[UserError] = []
    OmegaConf.set_struct(config, False)
    written = OmegaConf.to_container(config, resolve=False)
    _refuse_odd_values(written, where, overrides)  # where it was written
    set_here = {key: _resolved(config, key) for key in Settings.model_fields}
    _refuse_odd_values(set_here, "the command line", overrides)
    settings = _settings.parse(set_here, "the command line")
    _take_own_data(config, Path(settings.data), declared, overrides, notes)
    assets = _apply_assets(config, declared, overrides, where, mistakes, line.folder)
    reach = _reach(assets, settings, notes)
    if isinstance(config.get("target"), DictConfig):  # before ${target.runtime} is resolved
        given = cast(dict[str, Any], OmegaConf.to_container(config.target, resolve=False))
        config.target = target.completed(given)
    _expand(config, written, where, mistakes)
    data = _plain(config, where, mistakes)
    _refuse_odd_values(data, where, overrides, mistakes)
    usecase, malformed = spec.read(
        {key: data.pop(key) for key in list(data) if key in UseCase.model_fields}, where
    )
    chosen = target.parse(data.pop("target"), f"conf/target/{hydra.runtime.choices['target']}.yaml")
    mistakes += [*malformed, *_unknown(data, where)]
    if usecase is None:
        raise ExceptionGroup("the use case is wrong", mistakes)
    choices = tuple(word for word in line.words if word.startswith(("usecase=", "target=")))
    return Request(
        usecase,
        chosen,
        where,
        assets,
        line.dirs,
        settings.model_copy(update={"until": reach}),
        _command(line, overrides),
        choices,
        tuple(notes),
        tuple(mistakes),
    )


def _command(line: CommandLine, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the words that ask for this run again, from any folder that has the same files."""
    flags = [word for folder in line.dirs[:-1] for word in ("--config-dir", str(folder))]
    by_path = {f"usecase={name}": f"usecase={path}" for name, path in line.by_path.items()}
    return ("python", "run.py", *flags, *(by_path.get(word, word) for word in overrides))


def _take_own_data(
    config: DictConfig, data: Path, declared: Mapping[str, Path], overrides: Sequence[str], notes: list[str]
) -> None:
    """Put data/<usecase>/ in the place of a sample, where the user has laid data there and named no other."""
    folder = data / str(config.get("name"))
    if not folder.is_dir() or not any(folder.iterdir()):
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
) -> dict[str, Asset | Path | None]:
    """Resolve each asset's value, and let it set what the user has not."""
    found: dict[str, Asset | Path | None] = {}
    for key in _asset_keys(config):
        try:
            found[key] = resolved = _asset(key, config.assets[key], declared, where, folder)
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
    key: str, value: Any, declared: Mapping[str, Path], where: str, folder: Path
) -> Asset | Path | None:
    if value is None:
        return None
    if value in declared:
        return _load_asset(declared[value])
    path = Path(str(value)).expanduser()
    # a use case of the project names the project's own folders
    for place in (folder / path, ROOT / path) if value != "" else ():
        if place.exists():
            return place.absolute()
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
    """Put the stages of its values in the place of each stage with `foreach`, while `${...}` is unresolved.

    Nothing else could be checked in a use case whose foreach is wrong: its mistakes are raised at once.
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
                place = f"{where}: stages.{name}.{key}"
                mistakes.append(_unresolved(config, place, str(error).splitlines()[0]))
    made, found = foreach.expand(stages, where)
    if found:
        raise ExceptionGroup("the use case is wrong", [*mistakes, *found])
    config.stages = made


def _plain(config: DictConfig, where: str, mistakes: list[UserError]) -> dict[str, Any]:
    """Resolve every ${...}; a wrong one is told with its place, and taken out so that the others are seen
    too.
    """
    taken_out: set[str] = set()
    while True:
        try:
            data = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            key = getattr(error, "full_key", "") or ""
            mistakes.append(_unresolved(config, f"{where}: {key}", str(error).splitlines()[0]))
            if not key or key in taken_out:
                raise ExceptionGroup("the use case is wrong", mistakes) from None
            taken_out.add(key)
            OmegaConf.update(config, key, None)
            continue
        assert isinstance(data, dict)
        return {str(key): value for key, value in data.items()}


def _unresolved(config: DictConfig, place: str, said: str) -> UserError:
    missing = re.search(r"Interpolation key '([^']+)' not found", said)
    if not missing:
        return UserError(place, said, "write ${params.<name>} or ${target.<key>}")
    return UserError(
        place, said, did_you_mean(missing[1], _keys(OmegaConf.to_container(config, resolve=False)))
    )


def _refuse_odd_values(
    data: Any, where: str, overrides: Sequence[str], mistakes: Sequence[UserError] = ()
) -> None:
    """Raise every value that is not plain, with the mistakes so far: no later check could deal with it."""
    found = []
    for place, what, fix in plain.faults(data):
        key = ".".join(place)
        value = _value_of(key, overrides)
        found.append(UserError(f"{where}: {key}" if value is None else f"{key}={value:.80}", what, fix))
    raise_all([*mistakes, *found] if found else [])


def _keys(data: Any, prefix: str = "") -> list[str]:
    if not isinstance(data, dict):
        return [prefix.rstrip(".")]
    return [
        key for name, value in data.items() if name != "stages" for key in _keys(value, f"{prefix}{name}.")
    ]


def _unknown(data: Mapping[str, Any], where: str) -> list[UserError]:
    """A key that is neither the use case's nor the program's is a typing mistake at the file's top level."""
    return [
        UserError(
            f"{where}: {key}",
            f"there is no key '{key}' here",
            did_you_mean(key, [*UseCase.model_fields, "defaults"]),
        )
        for key in data
        if key not in Settings.model_fields
    ]


def _allowed_env(name: str, default: Any = None) -> Any:
    """`oc.env` for names that hold no secrets: what is resolved here reaches logs and MLflow."""
    if not _ENV_ALLOWED.match(name):
        raise ValueError(f"the environment variable {name} may not be read from YAML")
    return os.environ.get(name, default)


def guard_environment() -> None:
    """Let YAML read no environment variable but those that hold no secret."""
    OmegaConf.register_new_resolver("oc.env", _allowed_env, replace=True)
