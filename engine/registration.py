"""Registers with Hydra, before it composes, the command's options and the available use cases, targets
and the like; the user's take precedence over the project's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import catalogue, main_config, overlays, override, spelling
from engine.errors import UserError, did_you_mean
from engine.options import CommandOptions
from engine.settings import Settings
from engine.spec import UseCase
from engine.wording import PROGRAM, as_typed

OF_EVERY_COMMAND = {*Settings.model_fields, *UseCase.model_fields, "usecase", "target", "hydra"}
NOTHING: Mapping[str, str | list[str]] = {}
GROUPS = ("target", "executor", "tracking", "pipeline")
_USECASE = re.compile(r"(?:\+{0,2})usecase=(.*)")
_SHORT = re.compile(r"(\w+)=")
_INNER = re.compile(r"params\.(\w+)(?:\.\w+=|=\{)")
_RUN_NAME = re.compile(r"\+{0,2}name=(.*)", re.DOTALL)  # `name` itself is a key of the use case
_NO_CHOICE = re.compile(r"~(usecase|target|executor|tracking)(@.*|=.*)?")
_NUMBER = r"[-+.\d][-+.\deE_]*"  # Hydra parses it as a number, not as a name
_NO_NAME = re.compile(
    rf"(target|executor|tracking)=(null|true|false|nan|inf|[\[{{].*|{_NUMBER})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the user typed, in the form that Hydra accepts."""

    words: tuple[
        str, ...
    ] = ()  # a use case given by path is replaced by its name; --config-dir is removed
    dirs: tuple[Path, ...] = ()  # configuration folders: the user's first, the project's last
    usecases: Mapping[str, Path] = field(
        default_factory=dict
    )  # by name, including those given by path
    by_path: Mapping[str, Path] = field(default_factory=dict)  # only those given by path
    options: type[CommandOptions] = CommandOptions  # declared by the command
    # options whose values follow the command's name, such as `build` in `images build`
    following: Mapping[str, str | list[str]] = field(default_factory=dict)
    folder: Path = Path()  # the current folder, to which paths of assets are relative
    project: Path = Path()  # contains data/ and outputs/; found by engine/catalogue.py
    program: str = PROGRAM  # the program's name, as the user types it
    names_dirs: bool = False  # with --config-dir; otherwise conf/ is searched for upwards

    @property
    def has_flags(self) -> bool:
        """Return whether Hydra itself has to act: a sweep, --cfg, --info, --help, completion."""
        return any(word.startswith("-") for word in self.words)

    @property
    def config_name(self) -> str:
        """Return the name of the primary config: the keys common to all commands and those of this one."""
        return _config_name(self.options)


def register(
    argv: Sequence[str],
    options: type[CommandOptions] = CommandOptions,
    following: Mapping[str, str | list[str]] = NOTHING,
) -> CommandLine:
    """Read the command line, and register everything that it names with Hydra."""
    line = read(argv, options, following)
    tell_hydra(line)
    return line


def read(
    argv: Sequence[str],
    options: type[CommandOptions] = CommandOptions,
    following: Mapping[str, str | list[str]] = NOTHING,
) -> CommandLine:
    """Return the command line in the form that Hydra accepts; raise UserError for an unknown use case."""
    dirs = catalogue.config_dirs(argv)
    known = catalogue.usecases(dirs)
    by_path: dict[str, Path] = {}
    words = []
    for word in catalogue.without_config_dirs(argv):
        if dropped := _NO_CHOICE.fullmatch(word):
            raise UserError(
                word,
                f"{dropped[1]} is required",
                f"omit this word, or write {dropped[1]}=NAME",
            )
        if nameless := _NO_NAME.fullmatch(word):
            raise _nameless(word, nameless[1], nameless[2], dirs)
        match = _USECASE.fullmatch(word)
        paths = _paths_of(word, match[1], known) if match else []
        if not match:
            _refuse_grouped(word)
        if named := _RUN_NAME.fullmatch(word):
            word = f"run_name={named[1]}"
        by_path |= {path.stem: path for path in paths if path not in known.values()}
        words.append("usecase=" + ",".join(path.stem for path in paths) if match else word)
    return CommandLine(
        tuple(map(override.quoted, _expanded(words, dirs, known | by_path, options))),
        dirs,
        known | by_path,
        by_path,
        options,
        following,
        project=catalogue.project(dirs),
        names_dirs=catalogue.names_config_dirs(argv),
    )


def _expanded(
    words: Sequence[str],
    dirs: Sequence[Path],
    usecases: Mapping[str, Path],
    options: type[CommandOptions],
) -> Iterator[str]:
    """Yield the words; expand `model=FILE` to `assets.model=FILE` if only an asset of the use case has
    that name, and `params.model.units=3` or `params.model={units: 3}` to `++params.model...`, which may
    add a key, if that parameter of the use case is a mapping.
    """
    keys = {*OF_EVERY_COMMAND, *options.model_fields}
    for word in words:
        match = _SHORT.match(word)
        is_asset = (
            match
            and match[1] not in {*keys, *GROUPS}
            and match[1] in _assets(_chosen(words) or _default(dirs), usecases)
        )
        inner = _INNER.match(word)
        if inner and inner[1] in _mappings(_chosen(words) or _default(dirs), usecases):
            yield f"++{word}"
        else:
            yield f"assets.{word}" if is_asset else word


def _assets(names: Sequence[str], usecases: Mapping[str, Path]) -> set[str]:
    """Return the names of the assets that the files of these use cases declare."""
    return {str(key) for found in _sections(names, usecases, "assets") for key in found}


def _mappings(names: Sequence[str], usecases: Mapping[str, Path]) -> set[str]:
    """Return the names of the parameters of these use cases that are mappings."""
    found = (one.items() for one in _sections(names, usecases, "params"))
    return {str(key) for items in found for key, value in items if isinstance(value, dict)}


def _sections(
    names: Sequence[str], usecases: Mapping[str, Path], key: str
) -> Iterator[dict[str, object]]:
    """Yield what the files of these use cases have under the key."""
    from engine import yamlfile  # slow to import, and not needed for a cached request

    for name in names:
        found = yamlfile.load(usecases[name]).get(key)
        if isinstance(found, dict):
            yield found


def files(line: CommandLine) -> list[Path]:
    """Return the files of the use cases that the line chooses, or of the default one."""
    names = _chosen(line.words) or _default(line.dirs)
    return [line.usecases[name] for name in names if name in line.usecases]


def _chosen(words: Sequence[str]) -> list[str]:
    matches = [match for word in words if (match := _USECASE.fullmatch(word))]
    return [name.strip('"') for match in matches for name in match[1].split(",")]


def _default(dirs: Sequence[Path]) -> list[str]:
    return [main_config.choice(main_config.load(dirs), "usecase")]


def tell_hydra(line: CommandLine) -> None:
    """Register the command's options with Hydra, and the use cases and groups that the line may choose
    from.
    """
    chosen = _chosen(line.words)
    config = main_config.located(main_config.load(line.dirs), line.project)
    if len(chosen) != 1:
        chosen.append(
            main_config.choice(config, "usecase")
        )  # a sweep is first composed with the default
    named: set[str] = set()  # stages
    for name in chosen:
        stages = _register_usecase(name, _path_of(name, line.usecases)).get("stages")
        named.update(stages if isinstance(stages, dict) else ())
    _check_own_groups(config, line.words)
    if _asks_hydra(line.words):
        for name in line.usecases.keys() - set(chosen):
            with suppress(UserError):  # the error is in a use case that was not chosen
                _register_usecase(name, line.usecases[name])
    for folder in line.dirs[:-1]:
        _register_groups(folder)
    for target, node in overlays.nodes(line.dirs, line.words, named, _loaded):
        _store(group=overlays.GROUP, name=target, node=node)
    _register_options(config, line.options, line.following)


def _register_options(
    config: Mapping[str, object],
    options: type[CommandOptions],
    following: Mapping[str, str | list[str]],
) -> None:
    """Register the keys common to all commands, together with the options of this one."""
    typed = {key: _literal(value) for key, value in following.items()}
    _store(name=_config_name(options), node={**config, **options.defaults(), **typed})


def _literal(value: str | list[str]) -> str | list[str]:
    """Return the words in the form that OmegaConf reads as text, not as an interpolation."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    return [one.replace("${", "\\${") for one in value]


def _config_name(options: type[CommandOptions]) -> str:
    """Return a name that is unique to the command: another one may be composed while a sweep runs."""
    return f"config of {options.__module__}"


def _nameless(word: str, group: str, value: str, dirs: Sequence[Path]) -> UserError:
    """Return the mistake for a word whose value Hydra does not parse as a name."""
    known = catalogue.of_group(group, dirs)
    if value in known:
        return _unnamable(word, known[value])
    is_number = re.fullmatch(_NUMBER, value)
    what = f"there is no such {group}" if is_number else "a name is expected here"
    return UserError(word, what, did_you_mean(value, known))


def _unnamable(word: str, path: Path) -> UserError:
    what = f"{path.name} cannot be chosen, because its name is a number"
    return UserError(word, what, "rename the file; let its name begin with a letter")


def _refuse_grouped(word: str) -> None:
    """Raise UserError for a number such as 5_882, which Hydra reads as 5882."""
    key, equals, value = word.partition("=")
    number = spelling.grouped(value) if equals and not word.startswith("-") else None
    if number is not None:
        what, fix = spelling.not_decimal(number)
        raise override.located(
            UserError(f"the command line: {key.lstrip('+~')}", what, fix), [word]
        )


def _paths_of(word: str, value: str, known: Mapping[str, Path]) -> list[Path]:
    """Return the files of the use cases, given by name or by path and separated by commas."""
    if "," in value and Path(value).is_file():
        raise UserError(
            word, "a comma separates several use cases", "rename the file, without a comma"
        )
    paths = [_path_of(one, known) for one in value.split(",")]
    for path in paths:
        if re.fullmatch(_NUMBER, path.stem):
            raise _unnamable(word, path)
    return paths


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
    """Return whether Hydra must list the choices, and so must know every use case."""
    return any(
        word in ("--help", "-h", "--shell-completion", "--hydra-help")
        or word.startswith(("--info", "-sc"))
        for word in words
    )


def _register_usecase(name: str, path: Path) -> dict[str, object]:
    """Register the use case, and return its content."""
    node = _loaded(path)
    if "name" not in node:
        node["name"] = _name(path)
    _store(group="usecase", name=name, node=node, package="_global_")
    return node


def _name(path: Path) -> str:
    """Return the name of a use case whose file has none."""
    name = catalogue.name_of(path.stem)
    if name is None:
        raise UserError(
            f"{as_typed(path)}: name",
            "it has no name, and the file's name does not begin with an ASCII letter",
            "add 'name: my_usecase' to the file",
        )
    return name


def _loaded(path: Path) -> dict[str, object]:
    """Return the content of a file for Hydra to compose; refuse an invalid `defaults:`, which Hydra
    would treat as a bug in the program.
    """
    from engine import yamlfile  # slow to import, and not needed for a cached request

    node = yamlfile.load(path)
    defaults = node.get("defaults", [])
    if not isinstance(defaults, list) or not all(map(_is_choice, defaults)):
        raise UserError(
            f"{as_typed(path)}: defaults",
            "a list of choices is expected",
            "write a line '- /pipeline@stages: edge_export', or '- _self_'",
        )
    return node


def _is_choice(item: object) -> bool:
    """Return whether it is valid in Hydra's defaults lists: `_self_` and the like, or `group: name`."""
    return isinstance(item, str) or (
        isinstance(item, dict)
        and len(item) == 1
        and isinstance(next(iter(item.values())), str | list | None)
    )


def _register_groups(folder: Path) -> None:
    """Register a user's targets and the like one by one. With a search path, every folder in it, such
    as outputs/, would become a config group and hide the key with that name.
    """
    for group in GROUPS:
        for path in sorted((folder / group).glob("*.yaml")):
            _store(group=group, name=path.stem, node=_loaded(path))


def _check_own_groups(config: Mapping[str, object], words: Sequence[str]) -> None:
    """Refuse invalid YAML in the chosen files of conf/: Hydra itself parses them with other rules, by which
    5_882 is a number.
    """
    from engine import yamlfile  # slow to import, and not needed for a cached request

    for group in ("target", "executor", "tracking"):
        given = [word.partition("=")[2] for word in words if word.startswith(f"{group}=")]
        names = given[-1].split(",") if given else [main_config.choice(config, group)]
        for name in names:
            path = catalogue.ROOT / "conf" / group / f"{name}.yaml"
            if path.is_file():
                yamlfile.load(path)


def _store(**facts: Any) -> None:
    from hydra.core.config_store import (
        ConfigStore,
    )  # slow to import, and not needed for a cached request

    ConfigStore.instance().store(**facts)


def quoted(text: str) -> str:
    """Return the text quoted for Hydra's grammar, whatever its characters are."""
    return '"' + text.replace('"', '\\"').replace("${", "\\${") + '"'
