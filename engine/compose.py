"""From the command line to a request: use cases found and registered with Hydra, and its configuration as frozen data.

The one file below run.py that knows Hydra and OmegaConf.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine import asset, spec, target, yamlfile
from engine import settings as _settings
from engine.asset import Asset
from engine.errors import UserError, did_you_mean
from engine.settings import Settings
from engine.spec import UseCase
from engine.target import Target
from engine.wording import as_typed

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_USECASE = "pose_activity"  # conf/config.yaml's
_GROUPS = ("target", "executor", "tracking", "pipeline")
_USECASE = re.compile(r"(?:\+{0,2})usecase=(.+)")
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


def register(argv: Sequence[str]) -> list[str]:
    """Tell Hydra of the use cases that the command line names, and return it with paths replaced by names."""
    dirs = config_dirs(argv)
    known = usecase_files(dirs)
    chosen: list[str] = []
    rewritten = []
    for word in argv:
        match = _USECASE.fullmatch(word)
        if match:
            names = [_named(value, known) for value in match[1].split(",")]
            chosen += names
            word = "usecase=" + ",".join(names)
        rewritten.append(word)
    asks_hydra = any(
        word in ("--help", "-h", "--info", "-sc", "--shell-completion", "--hydra-help") or word.startswith(("--info", "-sc"))
        for word in argv
    )
    for name in known if asks_hydra else chosen or [DEFAULT_USECASE]:
        node = yamlfile.load(known[name])
        node.setdefault("name", name)
        ConfigStore.instance().store(group="usecase", name=name, node=node, package="_global_")
    for folder in dirs[:-1]:
        _register_groups(folder)
    return rewritten


def _register_groups(folder: Path) -> None:
    """Tell Hydra of a user's targets and the like. It gets no search path: any folder there, such as outputs/, would
    become a config group and hide the key of that name."""
    for group in _GROUPS:
        for path in sorted((folder / group).glob("*.yaml")):
            ConfigStore.instance().store(group=group, name=path.stem, node=yamlfile.load(path))


def config_dirs(argv: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders that hold configuration: --config-dir's, then the project's own."""
    dirs = []
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        if word in ("--config-dir", "-cd"):
            dirs.append(Path(following).absolute())
        elif word.startswith("--config-dir="):
            dirs.append(Path(word.partition("=")[2]).absolute())
    return (*dirs, ROOT / "conf")


def usecase_files(dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the use cases by name, the user's before the project's."""
    found: dict[str, Path] = {}
    for folder in [*(d / "usecases" for d in dirs[:-1]), ROOT / "usecases"]:
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def single(argv: Sequence[str]) -> Request:
    """Compose a request without sweep or other flag of Hydra's: the same result as under `hydra.main`, in half the time."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="run"):
        config = hydra_compose("config", without_config_dirs(argv), return_hydra_config=True)
    chosen = config.hydra
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return request(config, chosen, argv)


def without_config_dirs(argv: Sequence[str]) -> list[str]:
    """Return the command line without --config-dir and its value."""
    words, left = iter(argv), []
    for word in words:
        if word in ("--config-dir", "-cd"):
            next(words, None)
        elif not word.startswith("--config-dir="):
            left.append(word)
    return left


def request(config: DictConfig, hydra: Any, argv: Sequence[str]) -> Request:
    """Return the request that the composed configuration makes; raise every mistake of form together."""
    dirs = config_dirs(argv)
    overrides = tuple(hydra.overrides.task)
    name = hydra.runtime.choices["usecase"]
    where = as_typed(usecase_files(dirs).get(name) or _FILES.get(name) or Path(f"{name}.yaml"))
    notes: list[str] = []
    mistakes: list[UserError] = []
    OmegaConf.set_struct(config, False)
    settings = _settings.parse({key: _resolved(config, key) for key in Settings.model_fields}, "the command line")
    _take_own_data(config, Path(settings.data), dirs, overrides, notes)
    assets = _apply_assets(config, dirs, overrides, where, mistakes)
    reach = _reach(assets, settings, notes)
    data = _plain(config, where, mistakes)
    usecase, malformed = spec.read({key: data.pop(key) for key in list(data) if key in UseCase.model_fields}, where)
    chosen = target.parse(data.pop("target"), f"conf/target/{hydra.runtime.choices['target']}.yaml")
    mistakes += [*malformed, *_unknown(data, where)]
    if usecase is None:
        raise ExceptionGroup("the use case is wrong", mistakes)
    return Request(usecase, chosen, where, assets, dirs, settings.model_copy(update={"until": reach}), _command(dirs, overrides),
                   tuple(word for word in argv if word.startswith(("usecase=", "target="))), tuple(notes), tuple(mistakes))  # fmt: skip


def _command(dirs: Sequence[Path], overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the words that ask for this run again, from any folder that has the same files."""
    flags = [word for folder in dirs[:-1] for word in ("--config-dir", str(folder))]
    by_path = {f"usecase={name}": f"usecase={path}" for name, path in _FILES.items()}
    return ("python", "run.py", *flags, *(by_path.get(word, word) for word in overrides))


def declared_assets(dirs: Sequence[Path]) -> dict[str, Path]:
    """Return the files of all declared assets by name."""
    found: dict[str, Path] = {}
    for folder in dirs:
        for path in sorted((folder / "asset").glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


_FILES: dict[str, Path] = {}  # use cases given by path


def _named(value: str, known: dict[str, Path]) -> str:
    """Return the name of a use case given by name or by path, or raise."""
    path = Path(value)
    if value.endswith((".yaml", ".yml")) or "/" in value:
        if not path.is_file():
            raise UserError(f"usecase={value}", "there is no such file", did_you_mean(path.stem, known))
        _FILES[path.stem] = known[path.stem] = path
        return path.stem
    if value not in known:
        raise UserError(f"usecase={value}", "there is no such use case", did_you_mean(value, known))
    return value


def _take_own_data(config: DictConfig, data: Path, dirs: Sequence[Path], overrides: Sequence[str], notes: list[str]) -> None:
    """Put data/<usecase>/ in the place of a sample, where the user has laid data there and named no other."""
    folder = data / str(config.get("name"))
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    declared = declared_assets(dirs)
    for key, value in (config.get("assets") or {}).items():
        if value in declared and _value_of(f"assets.{key}", overrides) is None and _load_asset(declared[value]).sample:
            config.assets[key] = str(folder)
            notes.append(f"{folder} is taken as {key}, instead of the sample {value}")


def _apply_assets(
    config: DictConfig, dirs: Sequence[Path], overrides: Sequence[str], where: str, mistakes: list[UserError]
) -> dict[str, Asset | Path | None]:
    """Resolve each asset's value, and let it set what the user has not."""
    declared = declared_assets(dirs)
    found: dict[str, Asset | Path | None] = {}
    for key in list(config.get("assets") or {}):
        try:
            found[str(key)] = resolved = _asset(str(key), config.assets[key], declared, where)
        except UserError as mistake:
            mistakes.append(mistake)
            continue
        if isinstance(resolved, Asset):
            _set(config, resolved, overrides)
    # an asset may have set another one, such as a pose model that its data does not need
    return {key: None if config.assets[key] is None else value for key, value in found.items()}


def _reach(assets: Mapping[str, Asset | Path | None], settings: Settings, notes: list[str]) -> tuple[str, ...]:
    """Return the stages to end with: those that the user names, else those that the data can reach."""
    if settings.until:
        return settings.until
    for chosen in assets.values():
        if isinstance(chosen, Asset) and chosen.until:
            notes.append(f"{chosen.name} reaches {', '.join(chosen.until)} and no further stage: nothing beyond is planned")
            return chosen.until
    return ()


def _set(config: DictConfig, chosen: Asset, overrides: Sequence[str]) -> None:
    for group, values in (("params", chosen.settings.params), ("assets", chosen.settings.assets)):
        for key, value in values.items():
            if _value_of(f"{group}.{key}", overrides) is None:
                OmegaConf.update(config, f"{group}.{key}", value)


def _asset(key: str, value: Any, declared: Mapping[str, Path], where: str) -> Asset | Path | None:
    if value is None:
        return None
    if value in declared:
        return _load_asset(declared[value])
    path = Path(str(value)).expanduser()
    if path.exists():
        return path.absolute()
    raise UserError(
        f"{where}: assets.{key}", f"'{value}' is neither a declared asset nor a path that exists", did_you_mean(str(value), declared)
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


def _plain(config: DictConfig, where: str, mistakes: list[UserError]) -> dict[str, Any]:
    """Resolve every ${...}; a wrong one is told with its place, and taken out so that the others are seen too."""
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
    return UserError(place, said, did_you_mean(missing[1], _keys(OmegaConf.to_container(config, resolve=False))))


def _keys(data: Any, prefix: str = "") -> list[str]:
    if not isinstance(data, dict):
        return [prefix.rstrip(".")]
    return [key for name, value in data.items() if name != "stages" for key in _keys(value, f"{prefix}{name}.")]


def _unknown(data: Mapping[str, Any], where: str) -> list[UserError]:
    """A key that is neither the use case's nor the program's is a typing mistake at the file's top level."""
    return [
        UserError(f"{where}: {key}", f"there is no key '{key}' here", did_you_mean(key, [*UseCase.model_fields, "defaults"]))
        for key in data
        if key not in Settings.model_fields
    ]


def _allowed_env(name: str, default: Any = None) -> Any:
    """`oc.env` for names that hold no secrets: what is resolved here reaches logs and MLflow."""
    import os

    if not _ENV_ALLOWED.match(name):
        raise ValueError(f"the environment variable {name} may not be read from YAML")
    return os.environ.get(name, default)


def guard_environment() -> None:
    """Let YAML read no environment variable but those that hold no secret."""
    OmegaConf.register_new_resolver("oc.env", _allowed_env, replace=True)
