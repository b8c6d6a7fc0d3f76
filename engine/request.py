"""A user's request: one use case for one target, composed and validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from typing_extensions import TypeVar  # with a default, which Python supports from 3.13 on

from engine.asset import Asset
from engine.catalogue import ROOT, root_of
from engine.errors import UserError
from engine.options import CommandOptions
from engine.settings import Settings
from engine.spec import UseCase
from engine.target import Target
from engine.vocabulary import Direction
from engine.wording import PROGRAM

OptionsT = TypeVar("OptionsT", bound=CommandOptions, default=CommandOptions, covariant=True)


@dataclass(frozen=True, slots=True)
class Pruning:
    """How a search ends jobs early that promise little."""

    stage: str
    metric: str  # a curve that the stage reports while it runs
    direction: Direction
    pruner: str  # its name: engine/studies.py
    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SweepJob:
    """The job of a sweep that a request belongs to."""

    folder: Path  # the record of the sweep: engine/sweeps/record.py
    number: int  # from 1
    count: int | None  # how many jobs the sweep has; None if that is not known yet
    changes: tuple[str, ...]  # the overrides that distinguish the job, such as params.epochs=20
    pruning: Pruning | None = None  # None: the job runs to its end


@dataclass(frozen=True, slots=True)
class Request(Generic[OptionsT]):
    """A user's request, composed and validated."""

    usecase: UseCase
    target: Target
    where: str  # the use case's file, for messages
    assets: Mapping[
        str, Asset | Path | None
    ]  # the value of each key under the use case's `assets:`
    config_dirs: tuple[Path, ...]  # the user's first, the project's last
    settings: Settings  # the other keys of conf/config.yaml
    options: OptionsT  # the command's options
    command: tuple[str, ...]  # the command for this run alone, even if it is part of a sweep
    choices_given: tuple[str, ...]  # the words that chose a use case or a target
    notes: tuple[str, ...]
    mistakes: tuple[
        UserError, ...
    ] = ()  # validation errors; the other parts of the use case are still checked
    sweep: SweepJob | None = None

    @property
    def program(self) -> str:
        """Return the program's name, as the user types it."""
        first = self.command[0] if self.command else ""
        return PROGRAM if first in ("", *PROGRAM.split()) else first

    @property
    def outputs(self) -> Path:
        """Return the absolute outputs folder."""
        return Path(self.settings.outputs).absolute()

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return the folders in which stages are searched for: the user's, the current one, the project's."""
        return (*map(root_of, self.config_dirs[:-1]), ROOT)
