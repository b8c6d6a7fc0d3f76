"""The accelerators of targets, as stages see them: the interface, and how a model is opened on one.

An accelerator is one module of stages/accelerators, found by its file's name, which a target writes as
`accelerator: <name>`. A name without a file, such as `none`, means that models run on the CPU. A stage
that opens models on an accelerator declares `LOADS = {"accelerator": "stages.accelerators"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from engine.stage import note
from stages.tflite.compiled_forms import Twin, twins
from stages.tflite.model import Model, Worker, open_model
from stages.tflite.roles import is_arrays

if TYPE_CHECKING:
    from stages.tflite.schema import Model as Flatbuffer

# What all models that are open at the same time share, such as a process; each accelerator keeps its
# own under its name.
Session = dict[str, Any]


class Unavailable(Exception):
    """Why an accelerator is not used: a cause (library, device, permission, busy, version or model) and a
    sentence.
    """

    def __init__(self, cause: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


class Accelerator(Twin, Protocol):
    """A kind of accelerator: one module in stages/accelerators/, found by its name."""

    LOOKED_FOR: (
        str  # what a usable one is recognised by, for the note if there is none; "": none ever is
    )

    @staticmethod
    def obstacles(int8: Flatbuffer) -> list[str]:
        """Return why its compiler cannot read an int8 model, one sentence each; empty if it can, or does
        not compile int8 models.
        """

    @staticmethod
    def open(int8: Path, compiled: Path | None, runtime: str, session: Session) -> Worker:
        """Open the compiled model; its inputs and outputs have the int8 model's names.

        Raise Unavailable with the cause and a sentence if it cannot run here, or not this model.
        """

    @staticmethod
    def obstacle() -> str | None:
        """Return why none can be used now, as a sentence; None if one seems to be usable."""

    @staticmethod
    def card(log: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> str:
        """Return what the model card says of the compiled models.

        log: that of the stage `compile`; models: the manifest's entries by role
        """


def of(name: str) -> Accelerator | None:
    """Return the accelerator of that name; None for `none`, and for those that run no packaged model."""
    return cast("Accelerator | None", twins().get(name))


def title(name: str) -> str:
    """Return what users call the processor of that name."""
    found = of(name)
    return found.TITLE if found else "CPU"


def open_on(
    accelerator: str,
    int8: Path,
    compiled: Path | None,
    runtime: str,
    threads: int = 1,
    session: Session | None = None,
) -> Model:
    """Open the compiled model on the accelerator, or else the int8 model on the CPU, with a note that gives
    the reason. In both cases, inputs and outputs have the int8 model's names.

    session: shared by all models that are open at the same time; None: this model is the only one
    """
    if accelerator == "none":
        return open_model(int8, runtime, threads)
    if is_arrays(int8):
        note("the model consists of arrays, which numpy evaluates: running it on the CPU")
        return open_model(int8)
    found = of(accelerator)
    if found is None:
        note(
            f"TFLite cannot use the accelerator '{accelerator}': running the int8 model on the CPU"
        )
        return open_model(int8, runtime, threads)
    try:
        return Model(found.open(int8, compiled, runtime, {} if session is None else session))
    except Unavailable as reason:
        note(_why(found, reason))
    return open_model(int8, runtime, threads)


def _why(found: Accelerator, reason: Unavailable) -> str:
    """Return why the model runs on the CPU."""
    if not found.LOOKED_FOR:  # which is as it should be, and no fault of this machine
        return f"{reason}; running the int8 model on the CPU"
    return (
        f"running the model on the CPU, because no {found.TITLE} is usable; {reason} "
        f"(looked for {found.LOOKED_FOR})"
    )
