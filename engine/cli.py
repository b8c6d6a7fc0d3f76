"""Runs one command line and returns its exit status.

0 done, 1 failed or rejected by a gate, 2 invalid request and nothing started, 130 interrupted,
141 the reader of the output closed it.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine import command_line, completion, invocation, recall, registration
from engine.catalogue import ROOT
from engine.errors import UserError
from engine.registration import CommandLine
from engine.wording import PROGRAM

if TYPE_CHECKING:
    from omegaconf import DictConfig

NO_READER = 141


def cli(argv: list[str], program: str = PROGRAM) -> int:
    """Run the command that the arguments name, and return its exit status."""
    invocation.make_printable()
    line = CommandLine(program=program)
    try:
        if "--version" in argv:
            print(command_line.version())
            return 0
        if (shell := completion.shell(argv)) is not None:
            print(completion.script(shell), end="")
            return 0
        if {"-sc", "--shell-completion"} & set(argv) and "COMP_LINE" in os.environ:
            print(" ".join(command_line.completions()))
        words = command_line.split(argv)
        _check_folder()
        _check_installation()
        line = replace(
            registration.read(words.others, words.options, words.following), program=program
        )
        command_line.refuse_misplaced(words.command, words.options, line.words)
        if not {"--help", "-h"}.isdisjoint(line.words):
            if words.command != command_line.DEFAULT:
                print(command_line.help_of(words.command, program), end="")
                return 0
            print(command_line.usage(program))
        status = _run(words.command, line)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return invocation.INTERRUPTED
    except BrokenPipeError:
        _silence()
        return NO_READER
    except Exception as error:
        from engine import mistakes  # it imports Hydra to recognise its errors

        return mistakes.tell(error, line)


def _run(command: str, line: CommandLine) -> int:
    """Run the command, with Hydra only if it must compose or its flags are used: Hydra is slow to load."""
    if not line.has_flags:
        entry = recall.entry_of(line)
        recalled = recall.recall(entry, line)
        return invocation.run(command, recalled)[0] if recalled else _composed(command, line, entry)
    from engine import compose
    from engine.multirun import launch

    compose.prepare(line)
    if launch.is_asked_for(line):
        return launch.run(command, line)
    once = _Once(command, line)
    compose.with_flags(line, once)
    return once.status


def _composed(command: str, line: CommandLine, entry: Path | None) -> int:
    """Compose the line, run the command, and cache the composition for the next time."""
    from engine import compose

    compose.prepare(line)
    made = compose.composition(line)
    is_unchanged = recall.entry_of(line) == entry  # no file was edited during composition
    status = invocation.run(command, made.request)[0]
    if made.composed and is_unchanged:
        recall.remember(entry, line, made.composed, made.request)
    return status


@dataclass(slots=True)
class _Once:
    """What Hydra calls unless its flags, such as `--cfg` or `--help`, leave nothing to run."""

    command: str
    line: CommandLine
    status: int = 0

    def __call__(self, config: "DictConfig") -> float | None:
        from engine import compose

        self.status, objective = invocation.run(
            self.command, compose.under_hydra(config, self.line)
        )
        return objective


def _check_folder() -> None:
    """Refuse to start in a deleted folder, in which no path can be made absolute."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "the current folder",
            "it was deleted",
            "change to a folder that exists, and repeat the command",
        ) from None


def _check_installation() -> None:
    """Refuse to start without conf/, usecases/ and stages/, which are next to the engine in its
    checkout.
    """
    if not (ROOT / "conf" / "config.yaml").is_file():
        raise UserError(
            str(ROOT),
            "the engine is installed without its configuration",
            "install it in editable mode from its checkout: pip install -e FOLDER",
        )


def _silence() -> None:
    """Print nothing more, not even at interpreter exit: the reader, such as `head`, has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
