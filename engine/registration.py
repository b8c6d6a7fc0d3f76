"""What Hydra is told before it composes: the command's options, and the use cases, targets and the like that
may be chosen, the user's before the project's.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from engine import catalogue, main_config, yamlfile
from engine.errors import UserError, did_you_mean
from engine.options import CommandOptions
from engine.wording import as_typed

PROGRAM = "python run.py"
_GROUPS = ("target", "executor", "tracking", "pipeline")
_USECASE = re.compile(r"(?:\+{0,2})usecase=(.*)")
_NO_CHOICE = re.compile(r"~(usecase|target|executor|tracking)(@.*|=.*)?")
_NO_NAME = re.compile(
    r"(target|executor|tracking)=(null|true|false|nan|inf|[\[{].*|[-+.\d][-+.\deE_]*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the user typed, as Hydra takes it."""

    words: tuple[str, ...] = ()  # a use case given by its path stands there by its name; no --config-dir
    dirs: tuple[Path, ...] = ()  # with configuration: the user's first, the project's last
    usecases: Mapping[str, Path] = field(default_factory=dict)  # by name, those given by path among them
    by_path: Mapping[str, Path] = field(default_factory=dict)  # those alone
    options: type[CommandOptions] = CommandOptions  # that the command declares
    folder: Path = Path()  # relative paths of assets begin here; the current one
    program: str = PROGRAM  # how the user calls us

    @property
    def has_flags(self) -> bool:
        """True if Hydra itself has to do something: a sweep, --cfg, --info, --help, completion."""
        return any(word.startswith("-") for word in self.words)

    @property
    def config_name(self) -> str:
        """Return the name of what Hydra composes first: the keys of every command, and those of this one."""
        return _config_name(self.options)


def register(
    argv: Sequence[str], options: type[CommandOptions] = CommandOptions, following: str | None = None
) -> CommandLine:
    """Tell Hydra of the command's options and of the use cases that the command line names.

    `following` is the word after the command's name. Return the line as Hydra takes it.
    """
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
    config = main_config.load(dirs)
    default = main_config.choice(config, "usecase")
    if len(chosen) != 1:
        chosen.append(default)  # a sweep is composed from it first
    for name in chosen:
        _register_usecase(name, _path_of(name, files))
    for name in files.keys() - set(chosen) if _asks_hydra(words) else ():
        with suppress(UserError):  # of a use case that nobody chose
            _register_usecase(name, files[name])
    for folder in dirs[:-1]:
        _register_groups(folder)
    _register_options(config, options, following)
    return CommandLine(tuple(words), dirs, files, by_path, options)


def _register_options(
    config: Mapping[str, Any], options: type[CommandOptions], following: str | None
) -> None:
    """Tell Hydra of the keys of every command together with the options of this one."""
    node = {**config, **options.defaults()}
    if following is not None and options.WORD:
        node[options.WORD] = following
    ConfigStore.instance().store(name=_config_name(options), node=node)


def _config_name(options: type[CommandOptions]) -> str:
    """Return a name of its own for each command: while a sweep runs, another command may be composed."""
    return f"config of {options.__module__}"


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
