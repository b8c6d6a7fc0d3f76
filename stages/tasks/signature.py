"""Which outputs a task needs of its models, so that a model of another kind is refused before it is packed.

A task's module declares them in a function `needs`, which gets the package's constants:

    def needs(constants):
        return {"model": Needs("a picture classifier", {ANY: (1, "labels")})}

A text in a shape is a size with a name: a known one, such as the number of `labels`, or an open one,
which must be the same wherever its name occurs.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

from engine.stage import StageError
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY = "*"  # the only output, whatever its name
Shape = Tuple[Union[int, str], ...]


@dataclass(frozen=True)
class Needs:
    """The outputs that a model of one role must have, by name; a shape of None: any."""

    what: str  # the kind of model, such as "a picture classifier"
    outputs: Mapping[str, Optional[Shape]]


def check_task(
    task: str,
    models: Mapping[str, Mapping[str, Tensor]],
    constants: Mapping[str, Any],
    sizes: Mapping[str, int],
) -> None:
    """Refuse models that do not have the outputs that the task declares.

    models: outputs by role and name; constants: the package's; sizes: the known ones, by name
    A role that the task does not declare, or the package lacks, is not checked.
    """
    declared = getattr(importlib.import_module(f"stages.tasks.{task}"), "needs", None)
    for role, needs in (declared(constants) if declared else {}).items():
        if role in models:
            check(task, needs, models[role], sizes)


def check_seen(
    task: str, needs: Needs, outputs: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]
) -> None:
    """Refuse values (1, ...) by name that are not the outputs of such a model."""
    tensors = {name: Tensor(name, one.shape, one.dtype.name) for name, one in outputs.items()}
    check(task, needs, tensors, sizes)


def check(task: str, needs: Needs, outputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> None:
    """Refuse a model without these outputs; StageError: names, number or shapes differ."""
    if not _fits(needs, outputs, sizes):
        has = "; ".join(str(one) for one in outputs.values()) or "no output"
        raise StageError(
            f"the task '{task}' needs {needs.what} with {_wanted(needs, sizes)}, but the model has "
            f"{has}: set `task` to what the model was trained for, and use its labels"
        )


def _fits(needs: Needs, outputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> bool:
    found = list(outputs.values())
    if ANY not in needs.outputs:
        if outputs.keys() != needs.outputs.keys():
            return False
        found = [outputs[name] for name in needs.outputs]
    elif len(found) != 1:
        return False
    known: Dict[str, int] = dict(sizes)
    return all(
        shape is None or _is_shape(tensor.shape, shape, known)
        for tensor, shape in zip(found, needs.outputs.values())
    )


def _is_shape(found: Tuple[int, ...], wanted: Shape, known: Dict[str, int]) -> bool:
    """Compare two shapes; a size with a new name becomes known."""
    return len(found) == len(wanted) and all(
        size == (known.setdefault(one, size) if isinstance(one, str) else one)
        for size, one in zip(found, wanted)
    )


def _wanted(needs: Needs, sizes: Mapping[str, int]) -> str:
    """Describe the outputs: boxes [1, anchors, 4] and scores [1, anchors, 3 labels]."""
    each = [
        f"{'one output' if name == ANY else name}{_shape(shape, sizes)}"
        for name, shape in needs.outputs.items()
    ]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def _shape(shape: Optional[Shape], sizes: Mapping[str, int]) -> str:
    if shape is None:
        return ""
    named = [f"{sizes[one]} {one}" if one in sizes else str(one) for one in shape]
    return f" [{', '.join(named)}]"
