"""The description of a model's input or output: its name, shape, type and quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple

from engine.stage import StageError


@dataclass(frozen=True)
class Tensor:
    """An input or output of an open model."""

    name: str
    shape: Tuple[int, ...]  # including the batch
    type: str  # numpy's name, such as int8 or float32
    scale: float = 0.0  # 0: the numbers are the values themselves
    zero_point: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of a package's constants: everything except the name."""
        return {
            "shape": list(self.shape),
            "type": self.type,
            "scale": self.scale,
            "zero_point": self.zero_point,
        }

    def __str__(self) -> str:
        return f"{self.name}: {self.type} {list(self.shape)}"


def only(tensors: Mapping[str, Tensor], role: str) -> Tensor:
    """Return the only tensor of a model; `role` is 'input' or 'output'.

    StageError: the model has none, or more than one.
    """
    if len(tensors) != 1:
        named = "; ".join(str(tensor) for tensor in tensors.values()) or "none"
        raise StageError(f"the model needs exactly one {role}, but has {len(tensors)}: {named}")
    return next(iter(tensors.values()))
