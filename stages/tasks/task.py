"""The interface of all tasks, and how a package finds its task."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, List, Literal, Mapping, Optional, Protocol, Sequence, Tuple, TypedDict

from engine.stage import StageError
from stages.tasks.clock import Clock
from stages.tasks.package import Package, open_package
from stages.tasks.region import WHOLE, Region

Takes = Literal["pictures", "sentences", "rows", "tensors"]
# What an accelerator that sees the frame itself must show its network: all of the frame, stretched to the
# network's input, or the largest middle part with the input's aspect ratio.
View = Literal["whole", "middle"]
Row = Mapping[str, Any]
Pair = Tuple[Row, Row]


class Detection(TypedDict):
    """One thing that an answer names, in the same form for all tasks."""

    label: str
    score: Optional[float]
    box: Optional[List[float]]  # top, left, bottom, right in pixels; None: the whole input
    id: Optional[int]  # the same thing in the next frame has the same id; None: not tracked


class Task(Protocol):
    """A packaged model in use: raw inputs in, answers out.

    An input belongs to a clip, which may be a single picture: `new_state` starts it, `answer` gets its
    inputs in order, and `finish` returns the remaining answer at its end. The sentences of a
    conversation are a clip too. In a clip, answers may depend on the frames before, for example to
    smooth them or to follow objects; the answer to a single picture depends on nothing else.

    A task may also have `matched(rows, expected)`, if equal answers may have their rows in another
    order; see `matched` below.
    """

    takes: Takes  # what `answer` is given: an RGB picture (h, w, 3), a text, a row, tensors by name
    follows: bool  # whether pictures in a folder are frames of one clip
    picture_side: Optional[int]  # sufficient pixels of the shorter side; None: no reduction
    ran_on: str  # runtime and processor, as text

    def new_state(self, still: bool = False) -> Any:
        """Return the state that is kept between the inputs of a clip; still: it is one picture."""

    def answer(self, raw: Any, state: Any) -> "dict[str, Any]":
        """Return the model's answer to an input, as JSON data."""

    def finish(self, state: Any) -> "dict[str, Any] | None":
        """Return the answer that remains at the end of a clip, or None."""

    def rows(self, answer: "dict[str, Any]") -> "list[dict[str, Any]]":
        """Return an answer as table rows: flat, one row for each thing found."""

    def detections(self, answer: "dict[str, Any]") -> "list[Detection]":
        """Return the things that an answer names; none if it says that there is nothing."""

    def draw(self, picture: Any, answer: "dict[str, Any]") -> Any:
        """Return a copy of an RGB picture with the answer drawn on it."""

    def read(self, path: Path) -> "Iterator[Any] | None":
        """Return the inputs in a file of the task's own format, or None for any other format."""


class Looker(Task, Protocol):
    """A task whose answer has two halves, so that several frames can be prepared at the same time:
    `answer(raw, state)` is `conclude(look(raw), raw.shape[:2], state)`.
    """

    def look(self, raw: Any) -> Any:
        """Return what the models say about a picture alone; threads may call it at the same time."""

    def conclude(self, looked: Any, size: "tuple[int, int]", state: Any) -> "dict[str, Any]":
        """Return the answer; call it in the order of the frames. size: height and width in pixels."""


class Seer(Task, Protocol):
    """A task that can answer from what an accelerator says about a frame that it saw itself, such as the
    network of an AI Camera, which is fed by the sensor.

    Its module says which model sees the frame in `SEES` (a role, or None), and in `view(constants)`
    which part of the frame that model must see: a `View`.
    """

    def answer_seen(
        self, outputs: Any, size: "tuple[int, int]", state: Any, region: Region = WHOLE
    ) -> "dict[str, Any]":
        """Return the answer, in the form of `answer`; call it in the order of the frames.

        outputs: values by name with their batch dimension, (1, ...), as Model.predict returns them
        size:    height and width in pixels of the frame that boxes and points are in
        region:  what the model saw, as shares of that frame

        StageError: the outputs are those of another model.
        """


class Talker(Task, Protocol):
    """A task that takes sentences and can hold a conversation; explanations are lines below headings."""

    def said(self, answer: "Mapping[str, Any]") -> str:
        """Return what the other side says."""

    def why(self, answer: "Mapping[str, Any]") -> "dict[str, list[str]]":
        """Return the reasons for an answer."""

    def remembered(self, state: Any) -> "dict[str, list[str]]":
        """Return what the conversation remembers."""


def sees(task: str) -> Optional[str]:
    """Return the role whose model an accelerator that sees the frames itself can run; None: no role."""
    role: Optional[str] = getattr(importlib.import_module(f"stages.tasks.{task}"), "SEES", None)
    return role


def open_task(package: Path, accelerator: str = "none", runtime: str = "litert") -> Task:
    """Open a package with its task; a stage that calls this must declare `LOADS = {"task": ...}`."""
    return of_package(open_package(package), accelerator, runtime)


def of_package(opened: Package, accelerator: str, runtime: str) -> Task:
    """Return the task of an open package, with its models."""
    if not opened.task.isidentifier():
        raise StageError(
            f"the package's task {opened.task!r} is not the name of a task: package the model again"
        )
    try:
        module = importlib.import_module(f"stages.tasks.{opened.task}")
    except ModuleNotFoundError as error:
        if error.name != f"stages.tasks.{opened.task}":
            raise
        raise StageError(
            f"the package needs the task '{opened.task}', which this program does not have: update "
            "this program, or package the model for another task"
        ) from None
    if not hasattr(module, "load"):
        raise StageError(
            f"the package's task '{opened.task}' is not the name of a task: package the model again"
        )
    task: Task = module.load(opened, accelerator, runtime)
    return task


def set_time(state: Any, time_s: Optional[float]) -> None:
    """Tell the state of a clip when its next input was captured, in seconds; None: unknown.

    States that depend on no time ignore it. Without this call, a clip has 30 frames a second.
    """
    if isinstance(state, Clock):
        state.time_s = time_s


def matched(task: Task, rows: "Sequence[Row]", expected: "Sequence[Row]") -> "list[Pair]":
    """Return the pairs of rows of two answers that are about the same thing: those in the same place,
    unless the task has its own rule. A row without a partner does not agree with any.
    """
    own = getattr(task, "matched", None)
    return own(rows, expected) if own else list(zip(rows, expected))
