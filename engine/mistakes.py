"""Reports exceptions to the user: a mistake in three lines, or a bug of ours with its traceback.

The errors of Hydra, OmegaConf and the operating system are translated here.
"""

import errno
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from engine import catalogue, compose, override, registration, spelling, yamlfile
from engine.catalogue import ROOT
from engine.command_line import COMMANDS
from engine.errors import UserError, UserErrors, did_you_mean
from engine.options import declared
from engine.registration import CommandLine
from engine.wording import as_called

_AGAIN = "and repeat the command: finished stages are cached"
_MACHINE: dict[int | None, str] = {
    errno.ENOSPC: f"the disk is full: free space {_AGAIN}",
    errno.EDQUOT: f"the quota is used up: free space {_AGAIN}",
    errno.EIO: f"the disk reports errors: check its health {_AGAIN}",
    errno.EFBIG: f"raise the limit on file sizes, ulimit -f unlimited, {_AGAIN}",
    errno.EMFILE: f"raise the limit on open files, ulimit -n 1024, {_AGAIN}",
    errno.ESTALE: f"leave the outputs folder alone during a run {_AGAIN}",
    errno.EROFS: "choose a writable folder: outputs=DIR",
    errno.EACCES: "choose a writable folder: outputs=DIR",
}

_PLUGIN = re.compile(r"hydra/(?P<kind>launcher|sweeper)/(?P<name>\w+)")
_SEARCH = re.compile(r"(?P<group>hydra/sweeper/(sampler|pruner))/(?P<name>\w+)")
_OPTUNA = "hydra/sweeper"  # the group of the sweeper that is ours: hydra_plugins/
_PACKAGES = {  # of Hydra's launchers and sweepers: https://hydra.cc/docs/plugins/ax_sweeper/
    "joblib": "hydra-joblib-launcher",
    "ray": "hydra-ray-launcher",
    "ray_aws": "hydra-ray-launcher",
    "rq": "hydra-rq-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
    "ax": "hydra-ax-sweeper",
    "nevergrad": "hydra-nevergrad-sweeper",
}
_REFUSALS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
)  # exceptions with which Hydra refuses words, in addition to its own


def tell(error: Exception, line: CommandLine) -> int:
    """Print every mistake in three lines, and a bug with its traceback; return the exit status."""
    leaves = _leaves(error)
    mistakes = [found for leaf in leaves if (found := mistake_of(leaf, line))]
    if len(mistakes) < len(leaves):
        traceback.print_exception(error)
        return 1
    texts = (str(_as_typed(mistake, line)) for mistake in mistakes)
    text = "\n".join(dict.fromkeys(texts))
    print(as_called(text, line.program), file=sys.stderr)
    return 1 if any(map(_is_the_machines, leaves)) else 2


def in_words(error: BaseException, line: CommandLine) -> str:
    """Return the first mistake, or the bug, in one line: for a table of many jobs."""
    first = _leaves(error)[0]
    mistake = mistake_of(first, line)
    if mistake is None:
        return f"{type(first).__name__}: {first}".partition("\n")[0]
    found = _as_typed(mistake, line)
    return f"{found.where}: {found.what}"


def _as_typed(mistake: UserError, line: CommandLine) -> UserError:
    """Return the mistake at the word that made it; the user writes the key run_name as name."""
    found = override.located(mistake, line.words)
    where, fix = (text.replace("run_name=", "name=") for text in (found.where, found.fix))
    return UserError(where, found.what, fix)


def mistake_of(error: BaseException, line: CommandLine) -> UserError | None:
    """Return the user's mistake that caused the exception, or None if it is a bug of ours."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return UserError(
            f"{error.filename!s:.80}",
            f"this path cannot be followed: {error.strerror}",
            "choose another path",
        )
    if _is_the_machines(error):
        return UserError(
            str(error.filename or "outputs"),
            f"the operating system reports: {error.strerror}",
            _MACHINE[error.errno],
        )
    return (
        _explained(error, line)
        if isinstance(error, HydraException | OmegaConfBaseException) or _is_hydras(error)
        else None
    )


def _is_the_machines(error: BaseException) -> TypeGuard[OSError]:
    """Return whether it is an error of the operating system, such as a full disk.

    Hydra's MissingConfigException is an OSError too, but has no errno.
    """
    return isinstance(error, OSError) and error.errno in _MACHINE


def _is_hydras(error: BaseException) -> bool:
    """Return whether Hydra refused a word, such as `~usecase=[a]`, with a built-in exception."""
    modules = [
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    raised_by = modules[-1] if modules else ""
    return isinstance(error, _REFUSALS) and raised_by.startswith(("hydra.", "omegaconf."))


def _explained(error: BaseException, line: CommandLine) -> UserError:
    """Turn Hydra's error into a UserError."""
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    if "integer string conversion" in str(error):  # Python's own limit, sys.get_int_max_str_digits
        return UserError(
            "the command line",
            "a number has too many digits",
            "write a smaller number, or text in quotes: key='\"...\"'",
        )
    if several := re.match(
        r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", str(error).lstrip()
    ):
        typed = override.as_typed(several[1])
        name, _, value = typed.partition("=")
        return UserError(
            typed,
            "these are several values",
            "add --multirun to run with each of them; write a list in brackets, key=[a,b], and "
            f"text with commas in quotes: {override.as_text(name, value)}"
            + spelling.with_a_point(value),
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].partition(" : Override(")[0] if lines else type(error).__name__
    if of_a_word := _of_a_word(text, line):
        return of_a_word
    key = re.search(
        r"Key '([^']+)' is not in struct|Could not override '([^']+)'|Could not find '([^']+)'",
        str(error),
    )
    full = re.search(r"full_key: (\S+)|Could not override '([^']+)'", str(error))
    word = next((g for g in (full.groups() if full else ()) if g), None) or next(
        (g for g in (key.groups() if key else ()) if g), None
    )
    if word and (plugin := _PLUGIN.fullmatch(word)):
        return _not_installed(plugin["kind"], plugin["name"])
    if word and (found := _of_a_search(word)):
        return found
    if word and "/" in word:
        group, _, name = word.partition("/")
        fix = did_you_mean(name, catalogue.of_group(group, line.dirs))
        return UserError(f"{group}={name}", f"there is no such {group}", fix)
    if word and word.startswith("stages."):
        return _not_set(word, compose.stage_keys(line))
    known = [*_config_keys(line), *COMMANDS]
    if word and "Could not override" in text:
        return UserError(word, _absent(word), did_you_mean(word, known))
    return UserError(
        word or "the command line",
        f"{text:.200}",
        did_you_mean(word, known) if word else "write key=value; see python run.py --help",
    )


def _of_a_search(word: str) -> UserError | None:
    """Return the mistake for an unknown choice or key of hydra/sweeper=optuna, or None."""
    if choice := _SEARCH.fullmatch(word):
        group, name = choice["group"], choice["name"]
        what = f"there is no such {group.rpartition('/')[2]}"
        return UserError(f"{group}={name}", what, did_you_mean(name, _choices(group)))
    if not word.startswith("hydra.sweeper."):
        return None
    keys = [f"hydra.sweeper.{key}" for key in _node(_OPTUNA, "optuna")]
    for kind in ("sampler", "pruner"):
        for name in _choices(f"{_OPTUNA}/{kind}"):
            keys += [f"hydra.sweeper.{kind}.{key}" for key in _node(f"{_OPTUNA}/{kind}", name)]
    if word in keys:  # its own keys have dots
        fix = "write params.KEY=interval(0,1) as a separate word, or set it in a use case"
        return UserError(word, "this key can only be set in a file", fix)
    return UserError(word, "the sweeper has no such key", did_you_mean(word, keys))


def _choices(group: str) -> list[str]:
    return [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]


def _node(group: str, name: str) -> list[str]:
    node = ConfigStore.instance().load(f"{group}/{name}.yaml").node
    return [str(key) for key in node if key not in ("_target_", "defaults", "name")]


def _not_set(key: str, known: Sequence[str]) -> UserError:
    """Return the mistake for a key of a stage that the use case does not set."""
    parent, _, name = key.rpartition(".")
    stage = key.split(".")[1]
    if f"stages.{stage}" not in known:
        stages = [one.removeprefix("stages.") for one in known if one.count(".") == 1]
        return UserError(key, f"the use case has no stage '{stage}'", did_you_mean(stage, stages))
    beside = [one.removeprefix(f"{parent}.") for one in known if one.rpartition(".")[0] == parent]
    add = f"write +{key}=... if the stage has it"
    return UserError(key, "the use case does not set this key", did_you_mean(name, beside, add))


def _absent(key: str) -> str:
    """Return the mistake for an unknown key."""
    group, dot, name = key.partition(".")
    kind = {"params": "parameter", "assets": "asset"}.get(group)
    return f"the use case has no {kind} '{name}'" if kind and dot else "there is no such key"


def _not_installed(kind: str, name: str) -> UserError:
    """Return the mistake for a Hydra launcher or sweeper that is not installed."""
    package = _PACKAGES.get(name)
    if package is None:
        others = [known for known, one in _PACKAGES.items() if kind in one]
        fix = did_you_mean(name, [*_choices(f"hydra/{kind}"), *others])
        return UserError(f"hydra/{kind}={name}", f"there is no such {kind}", fix)
    return UserError(
        f"hydra/{kind}={name}",
        f"this {kind} is not installed",
        f"install its package: pip install {package}",
    )


def _of_a_word(text: str, line: CommandLine) -> UserError | None:
    """Return the mistake for a word that Hydra can parse but not apply, or None."""
    if one_value := re.search(r"Override \+*(stages\.\w+)@\S+ looks like a config group", text):
        return UserError(
            f"{one_value[1]}@...",
            "the command line cannot set a key for one value of a foreach",
            f"write {one_value[1]}.KEY=... for all values, or use ${{each.NAME}} in the YAML",
        )
    if there := re.search(r"An item is already at '([^']+)'", text):
        return UserError(
            f"+{there[1]}=...",
            "this key has a value already",
            f"write {there[1]}=..., without the +",
        )
    if "INTERVAL_SWEEP" in text:
        word = next((word for word in line.words if "interval(" in word), "the command line")
        fix = (
            "write choice(...) or range(...), or add hydra/sweeper=optuna, which searches intervals"
        )
        return UserError(word, "this sweep tries single values, and an interval has too many", fix)
    if re.search(r"[Cc]ould not override 'objective'", text):
        what = "the use case sets no objective, or not all of these keys"
        return UserError("objective=...", what, "write ++objective=..., with two plus signs")
    if missing := re.match(r"Interpolation key '([^']+)' not found", text):
        word = next((word for word in line.words if missing[1] in word), "the command line")
        return UserError(word, text, did_you_mean(missing[1], _config_keys(line)))
    return None


def _unreadable(word: str) -> UserError:
    """Return the mistake for a word that Hydra cannot parse: text with special characters needs quotes
    of its own, inside those of the shell.
    """
    key, equals, value = word.partition("=")
    if not equals or not re.fullmatch(r"[+~]*[\w.@/:]+", key, re.ASCII):
        return UserError(
            word, "this word cannot be parsed", "write key=value; see python run.py --help"
        )
    text = str(Path(value).expanduser() if value.startswith("~/") else value)
    return UserError(
        word,
        "this value cannot be parsed",
        f"to write it as text, put it in quotes: {override.as_text(key, text)}",
    )


def _config_keys(line: CommandLine) -> list[str]:
    """Return the keys that the command line may set: the program's and those of the chosen use cases."""
    keys = [option.key for option in declared(line.options)]
    for name, value in yamlfile.load(ROOT / "conf" / "config.yaml").items():
        below = value if isinstance(value, dict) and name != "hydra" else {}
        keys += [name, *(f"{name}.{key}" for key in below)]
    for path in registration.files(line):
        try:
            data = yamlfile.load(path)
        except UserError:  # not the mistake that is being reported
            continue
        keys += [
            f"{group}.{name}"
            for group in ("params", "assets", "stages")
            for name in data.get(group) or {}
        ]
    return keys


def _leaves(errors: BaseException) -> list[BaseException]:
    if isinstance(errors, BaseExceptionGroup):
        return [leaf for error in errors.exceptions for leaf in _leaves(error)]
    if isinstance(errors, UserErrors):
        return list(errors.errors)
    return [errors]
