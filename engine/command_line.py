"""Splits a command line into its command, its flags and its overrides.

`python run.py [command [word]] key=value ...`. Hydra reads the keys and values: engine/compose.py.
"""

import ast
import importlib
import os
import re
import shutil
import textwrap
import tomllib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from engine import completion, provenance
from engine.catalogue import ROOT
from engine.errors import UserError, did_you_mean, raise_all
from engine.options import CommandOptions, Option, declared
from engine.registration import GROUPS, OF_EVERY_COMMAND
from engine.wording import listed

FOLDER = Path(__file__).resolve().parent / "commands"
COMMANDS = tuple(sorted(path.stem for path in FOLDER.glob("[a-z]*.py")))
DEFAULT = "run"
DRY_RUN = "--dry-run"

_WIDTH = 100  # of the help, if the terminal's width is unknown
_LEAST_WIDTH = 60
_COLUMN = 32  # where the explanations begin

_FLAGS_WITH_VALUE = {
    "--cfg",
    "-c",
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--config-path",
    "-cp",
    "--package",
    "-p",
    "--experimental-rerun",
}
_SHORT_WITH_VALUE = {"-c", "-p"}  # argparse accepts the value in the same word, such as -cjob
_FLAGS = _FLAGS_WITH_VALUE | {
    "--help",
    "-h",
    "--hydra-help",
    "--resolve",
    "--run",
    "-r",
    "--multirun",
    "-m",
    "--shell-completion",
    "-sc",
    "--info",
    "-i",
    "--version",
    DRY_RUN,
}
_TOPICS = {
    "all",
    "config",
    "defaults",
    "defaults-tree",
    "plugins",
    "searchpath",
}  # what may follow --info


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a command line."""

    command: str
    options: type[CommandOptions]  # declared by the command
    others: tuple[str, ...]  # flags before overrides: Hydra's parser needs them together
    # options whose values follow the command's name, such as `build` in `images build`
    following: Mapping[str, str | list[str]] = field(default_factory=dict)


def split(argv: Sequence[str]) -> Words:
    """Split the command line; raise UserError for an unknown command or a misplaced word."""
    flags: list[str] = []
    plain: list[str] = []
    words = deque(argv)
    while words:
        word = words.popleft()
        if word in _FLAGS_WITH_VALUE:
            flags += [word, words.popleft() if words else ""]
        elif word == "--info" and words and words[0] in _TOPICS:
            flags.append(f"--info={words.popleft()}")
        elif word.startswith("-"):
            _refuse_unknown_flag(word)
            flags.append(word)
        else:
            plain.append(word)
    bare, overrides = _sorted_out(plain)
    if not {"-sc", "--shell-completion"}.isdisjoint(flags):
        bare = _take_from_completed_line()
    command, following = _command(bare)
    if DRY_RUN in flags:
        flags.remove(DRY_RUN)
        command, overrides = _dry(command, overrides)
    return Words(command, options_of(command), (*flags, *overrides), following)


def _sorted_out(plain: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of the command, and the overrides.

    Of a command with further words, such as `tag RUN owner=ann`, only known keys are overrides.
    """
    bare = [word for word in plain if not _is_pair(word)]
    options = options_of(bare[0]) if bare and bare[0] in COMMANDS else CommandOptions
    if options.MORE:
        bare = [word for word in plain if not _is_override(word, options)]
    return bare, [word for word in plain if word not in bare]


def _is_pair(word: str) -> bool:
    return "=" in word or word.startswith("~")


def _is_override(word: str, options: type[CommandOptions]) -> bool:
    """Return whether the word sets a key that every command, or this one, has."""
    key = re.match(r"[+~]*+(\w++)[\w.@/]*+=", word)  # does not backtrack in a long text
    return key is not None and key[1] in {*OF_EVERY_COMMAND, *GROUPS, *options.model_fields}


def _refuse_unknown_flag(word: str) -> None:
    """Refuse a flag that is neither ours nor Hydra's, and a key that begins with dashes."""
    name = word.partition("=")[0]
    if name in _FLAGS or (word[:2] in _SHORT_WITH_VALUE and not word.startswith("--")):
        return
    key = word.lstrip("-")
    if "=" in key and name not in ("-", "--"):
        raise UserError(word, "a key is written without dashes", f"write {key}")
    shown = [flag for flag in _FLAGS if flag.startswith("--")]
    raise UserError(word, "there is no such flag", did_you_mean(word, sorted(shown)))


def version() -> str:
    """Return the version of the engine, and the commit of its checkout."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        number = tomllib.load(file)["project"]["version"]
    commit = provenance.git_commit(ROOT)
    return f"RaspberryPi MLOps {number}" + (f" (commit {commit[:12]})" if commit else "")


def _dry(command: str, overrides: list[str]) -> tuple[str, list[str]]:
    """Return the command that `--dry-run` stands for: plan instead of run, or clean with its option."""
    if command in (DEFAULT, "plan"):
        return "plan", overrides
    if command == "clean":
        return command, [*overrides, "clean.dry_run=true"]
    raise UserError(
        f"run.py {command} {DRY_RUN}",
        f"{command} has no dry run",
        f"leave the word out, or write: run.py {DRY_RUN} key=value ... to see what a run would do",
    )


def options_of(command: str) -> type[CommandOptions]:
    """Return the options that the command's file declares."""
    module = importlib.import_module(f"engine.commands.{command}")
    options: type[CommandOptions] = getattr(module, "Options", CommandOptions)
    return options


def summary(command: str) -> str:
    """Return what the command does: the first line of its file, without its name."""
    text = (FOLDER / f"{command}.py").read_text(encoding="utf-8")
    line = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return line.partition(": ")[2].removesuffix(".")


def usage(program: str) -> str:
    """Return the flags, and the commands with their options. Hydra's own help continues with the
    choices.
    """
    lines = [
        f"Usage: {program} [COMMAND] KEY=VALUE ...",
        "",
        "Run a use case on a target, or run a command:",
        f"  {program} usecase=pose_activity target=rpi4_coral",
        f"  {program} plan params.epochs=5",
        "",
        "== Flags ==",
        *_entry("-h, --help", "print this help; after a command, only the help of that command"),
        *_entry("-m, --multirun", "run each combination of values: -m params.epochs=5,10"),
        *_entry(DRY_RUN, "show what would run, as `plan` does; with clean: what would be removed"),
        *_entry(
            f"{completion.FLAG} SHELL",
            f"print the script that completes the words of {listed(completion.SHELLS, 'or')}",
        ),
        *_entry("--version", "print the version"),
        "",
        "== Completion ==",
        *_entry("bash", f'eval "$({program} {completion.FLAG} bash)"'),
        *_entry("zsh", f'eval "$({program} {completion.FLAG} zsh)"'),
        *_entry("fish", f"{program} {completion.FLAG} fish | source"),
        "",
        "== Commands ==",
    ]
    for command in COMMANDS:
        lines += _entry(f"{command:<10}{summary(command)}")
        lines += _options(command)
    return "\n".join([*lines, ""])


def help_of(command: str, program: str) -> str:
    """Return the help of one command, with its options."""
    form = f"{program} {command}{_positions(options_of(command))} [KEY=VALUE ...]"
    options = _options(command)
    text = summary(command)
    lines = [f"Usage: {form}", "", text[0].upper() + text[1:] + "."]
    return "\n".join([*lines, *(["", "Options:", *options] if options else []), ""])


def _positions(options: type[CommandOptions]) -> str:
    word = f" [{options.WORD.upper()}]" if options.WORD else ""
    return word + (f" [{options.MORE.upper()} ...]" if options.MORE else "")


def _options(command: str) -> list[str]:
    found = declared(options_of(command))
    return [line for option in found for line in _entry(f"    {_key(option)}", option.description)]


def _entry(word: str, text: str = "") -> list[str]:
    """Return a word and its explanation in a column, in lines that fit the terminal."""
    width = max(_LEAST_WIDTH, shutil.get_terminal_size((_WIDTH, 0)).columns)
    indent = " " * (len("  name") + 6 if not text else _COLUMN)
    line = f"  {word}" if not text else f"  {word:<{_COLUMN - 4}}  {text}"
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _key(option: Option) -> str:
    is_list = isinstance(option.default, list | tuple)
    shown = list(option.default) if is_list else option.default
    default = "null" if shown is None else str(shown).lower()
    return f"{option.key}={default}"


def completions() -> list[str]:
    """Return the completions that Hydra does not know: commands, the words that may follow them, and
    the values of options with few values.

    Call this before the command is removed from the line.
    """
    *before, last = os.environ.get("COMP_LINE", "").split(" ")
    command = next((word for word in before if word in COMMANDS), None)
    found: list[str] = []
    if command is None:
        found += COMMANDS
    options = options_of(command or DEFAULT)
    if options.WORD and before[-1:] == [command]:
        found += options.choices(options.WORD)
    found += [f"{key}={one}" for key in options.model_fields for one in options.choices(key)]
    wants_value = "=" in last  # before that, Hydra completes only the key
    return [one for one in found if one.startswith(last) and ("=" in one) == wants_value]


def _take_from_completed_line() -> list[str]:
    """Remove the command from the line that a shell completes, as Hydra knows only keys, and return
    the command.
    """
    *before, last = os.environ.get("COMP_LINE", "").split(" ")
    commands = [word for word in before if word in COMMANDS][:1]
    if commands:
        at, options = before.index(commands[0]), options_of(commands[0])
        most = len(before) if options.MORE else 1 if options.WORD else 0
        following = takewhile(lambda word: "=" not in word, before[at + 1 : at + 1 + most])
        del before[at : at + 1 + len(list(following))]
        os.environ["COMP_LINE"] = " ".join([*before, last])
    return commands


def _command(bare: Sequence[str]) -> tuple[str, Mapping[str, str | list[str]]]:
    """Return the command among the words without `=`, and the options whose values follow it."""
    match bare:
        case []:
            return DEFAULT, {}
        case [command, *further] if command in COMMANDS and (options_of(command).MORE):
            return command, _distributed(options_of(command), further)
        case [command, word] if command in COMMANDS and options_of(command).WORD:
            _refuse_unknown_word(command, word)
            return command, {options_of(command).WORD or "": word}
    for at, word in enumerate(bare):
        if word not in COMMANDS:
            raise _no_command(word, next(iter(bare[at + 1 :]), "VALUE"))
    if len(bare) > 1:
        raise UserError(
            f"run.py {' '.join(bare)}",
            "these are several commands; only one is allowed",
            f"give one: run.py {bare[0]} key=value ...",
        )
    return bare[0], {}


def _distributed(options: type[CommandOptions], words: Sequence[str]) -> dict[str, str | list[str]]:
    """Return the options that these words belong to: the first one, and the list of the others."""
    found: dict[str, str | list[str]] = {}
    if options.WORD and words:
        found[options.WORD], words = words[0], words[1:]
    if options.MORE and words:
        found[options.MORE] = list(words)
    return found


def _no_command(word: str, following: str) -> UserError:
    """Return the mistake for a word that is not a command; it may be a key separated from its value."""
    if "." in word or word in OF_EVERY_COMMAND or word in GROUPS:
        return UserError(
            f"run.py {word}",
            "the key and its value need a = between them",
            f"write {word}={following}",
        )
    return UserError(f"run.py {word}", "there is no such command", did_you_mean(word, COMMANDS))


def _refuse_unknown_word(command: str, word: str) -> None:
    options = options_of(command)
    choices = options.choices(options.WORD or "")
    if choices and word not in choices:
        raise UserError(
            f"run.py {command} {word}",
            f"there is no such {options.WORD}",
            did_you_mean(word, choices),
        )


def refuse_misplaced(command: str, options: type[CommandOptions], overrides: Iterable[str]) -> None:
    """Raise a mistake for each option that only other commands have."""
    mistakes = []
    for word in overrides:
        key = re.match(r"[+~]*(\w+)", word)
        if key is None or key[1] in OF_EVERY_COMMAND or key[1] in options.model_fields:
            continue
        owners = [name for name in COMMANDS if key[1] in options_of(name).model_fields]
        if owners:
            what = f"{key[1]} is an option of {_listed(owners)}, not of {command}"
            mistakes.append(UserError(word, what, f"write: python run.py {owners[0]} {word}"))
    raise_all(mistakes)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
