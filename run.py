"""The command line: `python run.py [command] key=value ...`. Composes with Hydra, runs one command, tells
mistakes.

Exit status: 0 done, 1 failed or rejected by a gate, 2 the request is wrong and nothing started, 130
interrupted.
"""

import errno
import gc
import importlib
import io
import logging
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeGuard


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: before a command begins nothing is written, and a library interrupted in its middle may
    tell another error.
    """
    os._exit(128 + number)


if (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):  # a shell's background job ignores Ctrl-C, and goes on doing so
    signal.signal(signal.SIGINT, _leave)
# until a command begins: imports make much that lives and little garbage, and looking for it costs a tenth of
# the start
gc.disable()
os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as exceptions; we print three lines of each

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from engine import command_line, compose, layout, sweep, yamlfile
from engine.errors import UserError, did_you_mean
from engine.options import declared

ROOT = Path(__file__).resolve().parent

_AGAIN = "and give the same command: it goes on from what is in the store"
_MACHINE: dict[int | None, str] = {
    errno.ENOSPC: f"the disk is full: make room {_AGAIN}",
    errno.EDQUOT: f"the quota is used up: make room {_AGAIN}",
    errno.EIO: f"the disk reports errors: look at its health {_AGAIN}",
    errno.EFBIG: f"raise the limit on the size of files, ulimit -f unlimited, {_AGAIN}",
    errno.EMFILE: f"raise the limit on open files, ulimit -n 1024, {_AGAIN}",
    errno.ESTALE: f"leave the outputs folder alone while a run is at work {_AGAIN}",
    errno.EROFS: "name a folder that can be written: outputs=DIR",
    errno.EACCES: "name a folder that can be written: outputs=DIR",
}

INTERRUPTED = 130
_REFUSALS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
)  # with which Hydra refuses words, beside its own

_command = command_line.DEFAULT
_line = compose.CommandLine((), (), {}, {})
_sweep: sweep.Statuses | None = None  # these three travel with `main` to the processes that a launcher starts
_statuses: list[int] = []  # of this process alone


def main(config: DictConfig) -> float | None:
    """Run the command once; a sweep calls this for each of its jobs and reads the objective."""
    if _sweep is None:
        return _run(compose.request(config, HydraConfig.get(), _line))[1]
    _make_printable()  # a launcher's process has done nothing of what `cli` does
    compose.guard_environment()
    return _run_job(config, _sweep)


def _run_job(config: DictConfig, statuses: sweep.Statuses) -> float | None:
    """Run one job of a sweep; its mistakes end it alone, so that the other jobs run."""
    job = HydraConfig.get().job.num
    statuses.begin(job)
    objective = None
    try:
        status, objective = _run(compose.request(config, HydraConfig.get(), _line))
    except KeyboardInterrupt:
        statuses.end(job, INTERRUPTED)
        raise
    except Exception as error:
        status = _tell(error)
    statuses.end(job, status)
    return objective


def _run(request: compose.Request) -> tuple[int, float | None]:
    """Run the command; return its exit status and the objective."""
    command = importlib.import_module(f"engine.commands.{_command}")
    gc.freeze()
    gc.enable()
    with _interruptible(), layout.unobstructed(request.outputs):
        status, objective = command.main(request)
        sys.stdout.flush()
    if status == INTERRUPTED:
        raise KeyboardInterrupt  # of a sweep the other jobs are not wanted either
    _statuses.append(status)
    return status, None if objective is None else float(objective)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt while a command works, so that it can tidy up."""
    before = signal.getsignal(signal.SIGINT)
    if before is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a polite kill end a sweep as Ctrl-C does."""
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def cli(argv: list[str]) -> int:
    """Return the exit status of the command line."""
    global _command, _line
    _make_printable()
    logging.raiseExceptions = (
        False  # Hydra prints by logging, which would show a traceback for each line that nobody reads
    )
    try:
        words = command_line.split(argv)
        _command = words.command
        _check_folder()
        compose.guard_environment()
        _line = compose.register(words.others, words.options, words.word)
        if not {"--help", "-h"}.isdisjoint(_line.words):
            print(command_line.usage())
        if any(word.startswith("-") for word in _line.words):
            _run_with_flags()
        else:
            _run(compose.single(_line))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (
        BrokenPipeError
    ):  # who read has gone, such as `head`: no word more, also none while the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        return _tell(error)
    return max(_statuses, default=0)


def _check_folder() -> None:
    """Refuse to start in a folder that was deleted: no path can be made absolute there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "the current folder",
            "it was deleted",
            "change to a folder that exists, and give the same command",
        ) from None


def _run_with_flags() -> None:
    """Let Hydra do what its own flags ask for: a sweep, --cfg, --info, completion."""
    global _sweep
    sys.argv = [str(ROOT / "run.py"), *_line.words]
    hydra_main = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=_line.config_name)
    if not any(word == "-m" or re.fullmatch("--m[a-z]*", word) for word in _line.words):
        hydra_main(main)()
        return
    outputs = compose.outputs(_line)
    layout.make_outputs(outputs)
    _sweep = sweep.statuses(outputs)
    try:
        with (
            _interruptible(),
            _terminable(),
        ):  # a launcher ends the processes that it started only if it sees the exception
            hydra_main(main)()
        _statuses.append(_sweep.worst())
    finally:
        _sweep.remove()


def _tell(error: Exception) -> int:
    """Print a mistake in three lines, and a fault of ours with its traceback; return the exit status."""
    leaves = _leaves(error)
    mistakes = [_mistake(leaf) for leaf in leaves]
    if None in mistakes:
        traceback.print_exception(error)
        return 1
    print("\n".join(dict.fromkeys(map(str, mistakes))), file=sys.stderr)
    return 1 if any(map(_is_the_machines, leaves)) else 2


def _make_printable() -> None:
    """Let no command end for what it prints: a letter that the terminal lacks becomes '?', and a closed
    output takes all.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _mistake(error: BaseException) -> UserError | None:
    """Return the user's mistake that the exception stands for, or None where it is a fault of ours."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return UserError(
            f"{error.filename!s:.80}", f"this path cannot be followed: {error.strerror}", "name another path"
        )
    if _is_the_machines(error):
        return UserError(
            str(error.filename or "outputs"), f"the machine says: {error.strerror}", _MACHINE[error.errno]
        )
    return (
        _explained(error)
        if isinstance(error, HydraException | OmegaConfBaseException) or _is_hydras(error)
        else None
    )


def _is_the_machines(error: BaseException) -> TypeGuard[OSError]:
    """True for a full disk and the like.

    Hydra's MissingConfigException is an OSError too, without a number.
    """
    return isinstance(error, OSError) and error.errno in _MACHINE


def _is_hydras(error: BaseException) -> bool:
    """True for what Hydra refuses with an exception of Python's own, such as `~usecase=[a]`."""
    module = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)][-1:]
    return isinstance(error, _REFUSALS) and module[0].startswith(("hydra.", "omegaconf."))


def _explained(error: BaseException) -> UserError:
    """Turn Hydra's mistake into our three lines."""
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    if "integer string conversion" in str(error):  # Python's own limit, sys.get_int_max_str_digits
        return UserError(
            "the command line",
            "a number has too many digits",
            "write a smaller number, or text in quotes: key='\"...\"'",
        )
    if several := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", str(error).lstrip()):
        return UserError(
            several[1],
            "these are several values",
            "for a run with each of them add --multirun; a list stands in brackets: key=[a,b]",
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].partition(" : Override(")[0] if lines else type(error).__name__
    key = re.search(
        r"Key '([^']+)' is not in struct|Could not override '([^']+)'|Could not find '([^']+)'", str(error)
    )
    full = re.search(r"full_key: (\S+)|Could not override '([^']+)'", str(error))
    word = next((g for g in (full.groups() if full else ()) if g), None) or next(
        (g for g in (key.groups() if key else ()) if g), None
    )
    if word and "/" in word:
        group, _, name = word.partition("/")
        choices = [path.stem for path in (ROOT / "conf" / group).glob("*.yaml")]
        return UserError(f"{group}={name}", f"there is no such {group}", did_you_mean(name, choices))
    if word and word.startswith("stages."):
        return UserError(
            word, "the use case does not set this key", f"write +{word}=... where the stage has it"
        )
    known = [*_config_keys(), *command_line.COMMANDS]
    return UserError(
        word or "the command line",
        f"{text:.200}",
        did_you_mean(word, known) if word else "write key=value; see python run.py --help",
    )


def _unreadable(word: str) -> UserError:
    """Tell of a word that is not in Hydra's grammar: what is not plain text stands in quotes of its own,
    inside those of the shell.
    """
    key, equals, value = word.partition("=")
    if not equals or not re.fullmatch(r"[+~]*[\w.@/:]+", key, re.ASCII):
        return UserError(word, "this cannot be read", "write key=value; see python run.py --help")
    text = str(Path(value).expanduser() if value.startswith("~/") else value).replace('"', r"\"")
    return UserError(
        word, "this value cannot be read", "as text it stands in quotes: " + shlex.quote(f'{key}="{text}"')
    )


def _config_keys() -> list[str]:
    """Return the keys that the command line may set: the program's and the use case's."""
    keys = [option.key for option in declared(_line.options)]
    for name, value in yamlfile.load(ROOT / "conf" / "config.yaml").items():
        below = value if isinstance(value, dict) and name != "hydra" else {}
        keys += [name, *(f"{name}.{key}" for key in below)]
    for path in _line.usecases.values():
        try:
            data = yamlfile.load(path)
        except UserError:  # another mistake than the one that is told
            continue
        keys += [
            f"{group}.{name}" for group in ("params", "assets", "stages") for name in data.get(group) or {}
        ]
    return keys


def _leaves(errors: BaseException) -> list[BaseException]:
    if isinstance(errors, BaseExceptionGroup):
        return [leaf for error in errors.exceptions for leaf in _leaves(error)]
    return [errors]


if __name__ == "__main__":
    sys.exit(cli(sys.argv[1:]))
