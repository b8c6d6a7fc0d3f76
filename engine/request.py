"""What the user asks for: one use case for one target, composed and checked for form."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from typing_extensions import TypeVar  # with a default, which Python has from 3.13

from engine.asset import Asset
from engine.catalogue import ROOT, root_of
from engine.errors import UserError
from engine.options import CommandOptions
from engine.settings import Settings
from engine.spec import UseCase
from engine.target import Target
from engine.wording import PROGRAM

OptionsT = TypeVar("OptionsT", bound=CommandOptions, default=CommandOptions, covariant=True)


@dataclass(frozen=True, slots=True)
class Request(Generic[OptionsT]):
    """What the user asks for, composed and checked for form."""

    usecase: UseCase
    target: Target
    where: str  # the use case's file, for messages
    assets: Mapping[str, Asset | Path | None]  # what each key of the use case means
    config_dirs: tuple[Path, ...]  # the user's first, the project's last
    settings: Settings  # the other keys of conf/config.yaml
    options: OptionsT  # what the command declares
    command: tuple[str, ...]  # what to type for this run alone, which in a sweep is one of many
    choices_given: tuple[str, ...]  # the words that chose a use case or a target
    notes: tuple[str, ...]
    mistakes: tuple[UserError, ...] = ()  # of form, in a use case of which the rest can be checked

    @property
    def program(self) -> str:
        """Return how the user calls this program."""
        first = self.command[0] if self.command else ""
        return PROGRAM if first in ("", *PROGRAM.split()) else first

    @property
    def outputs(self) -> Path:
        """Return the absolute outputs folder."""
        return Path(self.settings.outputs).absolute()

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return where stages are looked for: the user's folders, this one, the project."""
        return (*map(root_of, self.config_dirs[:-1]), ROOT)
