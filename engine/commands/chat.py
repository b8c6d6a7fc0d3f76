"""`chat`: talk to the packaged model of the newest complete run, in the terminal.

Sentences come from the keyboard, or from a pipe; then only the answers are printed. Nothing that is
typed is stored.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper

from pydantic import Field

from engine import conversation, interrupts, packed, run_names
from engine.contract import Contract
from engine.conversation import Conversation, Ended, Sections
from engine.errors import UserError, did_you_mean
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library
from engine.wording import printable

STAGE = "stages.edge.converse"
_INTERRUPTED = 130
_COMMANDS = {
    "/why": "why the last answer was given: scores, entities, and similar training sentences",
    "/context": "the active contexts and the remembered entities",
    "/reset": "begin another conversation",
    "/help": "these commands",
    "/quit": "end; also Ctrl-D",
}
_STYLES = {"you": "1;36", "bot": "1;32", "dim": "2"}
Params = dict[str, object]


class Options(CommandOptions):
    """The options of `chat`."""

    run: str | None = Field(
        None,
        description="a run's name, its id or the beginning of it, or latest; null: the newest complete "
        "run",
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Answer each sentence until /quit, Ctrl-D or the end of the input; /help lists the commands."""
    package = packed.package(request, request.options.run)
    contract, params = _contract(request, packed.task(package))
    print(f"the model of run {run_names.label(package.parents[2])}", file=sys.stderr)
    try:
        with (
            interrupts.terminable(),
            interrupts.terminable(signal.SIGHUP),  # the terminal was closed
            conversation.opened(contract, package, params, request.roots) as model,
        ):
            _tell_start(model)
            _Chat(model, is_terminal=_is_terminal()).run()
    except Ended as error:
        print(error, file=sys.stderr)
        return 1, None
    except KeyboardInterrupt:
        print()
        return _INTERRUPTED, None
    return 0, None


def _contract(request: Request[Options], task: str) -> tuple[Contract, Params]:
    """Return the contract of the stage that answers, and its parameters, without the connection."""
    library = Library(request.settings.stage_packages, request.roots)
    where = f"{request.where}: task"
    params: Params = {
        "task": task,
        "runtime": request.target.runtime,
        "accelerator": request.target.accelerator,
    }
    contract = library.loading(library.signature(STAGE, where), params, where)
    if library.loaded_constant(contract, params, "task", "takes") != "sentences":
        what = f"its model has the task '{task}', which takes no sentences"
        raise UserError(where, what, "use it with: python run.py predict input=FILE_OR_FOLDER")
    return contract, params


def _tell_start(model: Conversation) -> None:
    for note in model.notes():
        print(f"note: {note}", file=sys.stderr)
    if _is_terminal():
        print(f"{model.ran_on}; /help lists the commands", file=sys.stderr)


def _is_terminal() -> bool:
    """Return whether a person types; a standard file is None if the caller closed it."""
    return all(one is not None and one.isatty() for one in (sys.stdin, sys.stdout))


@dataclass(frozen=True, slots=True)
class _Chat:
    """The terminal's side of a conversation."""

    model: Conversation
    is_terminal: bool

    def run(self) -> None:
        """Answer line by line."""
        for line in _typed(self._styled("you", "you > ")) if self.is_terminal else _piped():
            if line == "/quit":
                return
            if line.startswith("/"):
                self._command(line)
            elif line:
                prompt = self._styled("bot", "bot > ") if self.is_terminal else ""
                print(f"{prompt}{printable(self.model.say(line))}", flush=True)

    def _command(self, line: str) -> None:
        match line:
            case "/help":
                self._list({name: [text] for name, text in _COMMANDS.items()})
            case "/why":
                self._list(self.model.why())
            case "/context":
                self._list(self.model.context())
            case "/reset":
                self.model.reset()
                self._dim("a new conversation begins")
            case _:
                nearest = did_you_mean(line, list(_COMMANDS))
                self._dim(f"there is no command {printable(line)}: {nearest}")

    def _list(self, sections: Sections) -> None:
        """Print lines beside their headings."""
        if not sections:
            self._dim("say something first")
        width = max(map(len, sections), default=0)
        for heading, lines in sections.items():
            for at, line in enumerate(lines):
                self._dim(f"{'' if at else heading:{width}}  {printable(line)}")

    def _dim(self, text: str) -> None:
        indent = "      " if self.is_terminal else ""
        print(self._styled("dim", f"{indent}{text}"), flush=True)

    def _styled(self, style: str, text: str) -> str:
        plain = not self.is_terminal or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        return text if plain else f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def _typed(prompt: str) -> Iterator[str]:
    """Yield the lines that are typed, until Ctrl-D; arrow keys edit them and bring back earlier ones."""
    with suppress(ImportError):  # Python may be built without it
        import readline  # noqa: F401 - `input` uses it
    # readline must not count the bytes that set colours
    shown = re.sub(r"\x1b\[[0-9;]*m", "\x01\\g<0>\x02", prompt)
    while True:
        try:
            yield input(shown).strip()
        except EOFError:
            print()
            return


def _piped() -> Iterator[str]:
    """Yield the lines of a pipe or file; bytes that are no text become replacement characters."""
    if isinstance(sys.stdin, TextIOWrapper):  # None: it is closed
        sys.stdin.reconfigure(errors="replace")
        for line in sys.stdin:
            yield line.strip()
