"""A compiled model on the Edge TPU, in a process that it can share with other models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.stage import StageError
from stages.accelerator import Unavailable
from stages.coral.process import Process
from stages.tflite.naming import Names, names_in, names_of_twin
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUSTOM_OPERATOR = b"edgetpu-custom-op"  # in every model that the compiler has compiled


class EdgeTpu:
    """A model in the Edge TPU's process."""

    accelerator, called = "edgetpu", "Edge TPU"

    def __init__(
        self, int8_path: Path, compiled_path: Path | None, runtime: str, process: Process
    ) -> None:
        path = compiled_path or int8_path
        self._process = process
        self._number, facts = process.open(path, _names(int8_path, compiled_path), runtime)
        if not has_custom_operator(path):
            self.close()
            raise Unavailable(
                "model",
                "one is ready, but the model is not compiled for it; this needs edgetpu_compiler",
            )
        self.runtime: str = facts["runtime"]
        self.inputs, self.outputs = (
            {one["name"]: Tensor(**{**one, "shape": tuple(one["shape"])}) for one in facts[role]}
            for role in ("inputs", "outputs")
        )

    def invoke(self, tensors: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], float]:
        """Run the model; return the raw outputs, and the milliseconds of the inference alone."""
        return self._process.invoke(self._number, {name: tensors[name] for name in self.inputs})

    def peak_memory_mb(self) -> float:
        """Return the peak memory of the process, with all models that it serves."""
        return self._process.peak_memory_mb()

    def close(self) -> None:
        """Close the model; closing twice does nothing."""
        self._process.close(self._number)

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            self.close()


def has_custom_operator(path: Path) -> bool:
    """Return whether the Edge TPU's compiler has compiled the model, completely or partly."""
    return CUSTOM_OPERATOR in path.read_bytes()


def _names(int8_path: Path, compiled_path: Path | None) -> Names:
    """Return the int8 model's names, in the compiled model's order."""
    if compiled_path is None:
        return names_in(int8_path)
    try:
        return names_of_twin(int8_path, compiled_path)
    except StageError as error:
        raise Unavailable("model", str(error)) from None
