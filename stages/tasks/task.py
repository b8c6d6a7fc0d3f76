"""What every task provides, and how a package finds the task that it was packed for."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Optional, Protocol

from engine.stage import StageError
from stages.tasks.package import open_package

Takes = Literal["pictures", "sentences", "tensors"]


class Task(Protocol):
    """A packed model at work: raw inputs in, answers out.

    An input belongs to a clip, which may be one picture: `new_state` begins it, `answer` takes its
    inputs in order, and `finish` says what is left when it is over.
    """

    takes: Takes  # what `answer` is given: an RGB picture (h, w, 3), a text, tensors by name
    follows: bool  # pictures of a folder are frames of one clip
    picture_side: Optional[int]  # pixels of the shorter side that suffice; None: all there are
    ran_on: str  # runtime and processor, in words

    def new_state(self, still: bool = False) -> Any:
        """Return what is remembered between the inputs of a clip; still: it is one picture."""

    def answer(self, raw: Any, state: Any) -> "dict[str, Any]":
        """Return what the model makes of an input, as data that JSON can hold."""

    def finish(self, state: Any) -> "dict[str, Any] | None":
        """Return what is still to be answered at the end of a clip, or None."""

    def rows(self, answer: "dict[str, Any]") -> "list[dict[str, Any]]":
        """Return what an answer adds to a table: flat, one row for each thing found."""

    def draw(self, picture: Any, answer: "dict[str, Any]") -> Any:
        """Return a copy of an RGB picture with the answer drawn on it."""

    def read(self, path: Path) -> "Iterator[Any] | None":
        """Return the inputs in a file of the task's own form, or None if it has another one."""


def load(package: Path, accelerator: str = "none", runtime: str = "litert") -> Task:
    """Open a package with its task; a stage that calls this says `LOADS = {"task": ...}`."""
    opened = open_package(package)
    if not opened.task.isidentifier():
        raise StageError(f"the package's task {opened.task!r} is no name of a task")
    try:
        module = importlib.import_module(f"stages.tasks.{opened.task}")
    except ModuleNotFoundError as error:
        if error.name != f"stages.tasks.{opened.task}":
            raise
        raise StageError(
            f"the package is for the task '{opened.task}', which this program does not have: "
            "update it, or pack the model for another task"
        ) from None
    if module.__name__ == __name__ or not hasattr(module, "load"):
        raise StageError(f"the package's task '{opened.task}' is no name of a task")
    task: Task = module.load(opened, accelerator, runtime)
    return task
