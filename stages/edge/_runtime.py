"""Opens a TFLite model with the runtime that a target has, on its Edge TPU where that can be used,
and runs it on float examples. Knows no domain. It also runs in small ARM images that have no more
than numpy and tflite-runtime.
"""

import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, note
from engine.stage.coral import LOOKED_FOR
from stages.edge import _delegate
from stages.edge._coral import HERE, Roots
from stages.edge._interpreters import runtime_module

KERNELS = ("default", "reference")


class Worker(Protocol):
    """What a model runs on."""

    runtime: str  # with its version
    accelerator: str  # cpu or edgetpu
    input: dict[str, Any]
    output: dict[str, Any]

    def invoke(self, tensor: NDArray[Any]) -> tuple[NDArray[Any], float]:
        """Run the model on an input tensor.

        Return the raw output tensor, and the milliseconds that it took.
        """

    def peak_memory_mb(self) -> float | None:
        """Return the most memory that its own process has held; null where it shares one."""


class Model:
    """An open model with one input and one output."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.runtime, self.accelerator = worker.runtime, worker.accelerator
        self.input, self.output = worker.input, worker.output

    @property
    def called(self) -> str:
        """Return what it runs on, in words."""
        return "Edge TPU" if self.accelerator == "edgetpu" else "CPU"

    def peak_memory_mb(self) -> float | None:
        """Return the most memory that the worker's own process has held.

        Null where it has none of its own.
        """
        return self._worker.peak_memory_mb()

    def quantised(self, example: NDArray[np.float32]) -> NDArray[Any]:
        """Return the example (1, ...) as the model's input tensor: q = x / scale + zero point."""
        return _quantised(example, self.input)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model on an input tensor and return the raw output tensor."""
        return self._worker.invoke(tensor)[0]

    def time_ms(self, tensor: NDArray[Any]) -> float:
        """Run the model on an input tensor and return how long it took, without the way there and
        back.
        """
        return self._worker.invoke(tensor)[1]

    def outputs(self, examples: NDArray[np.float32]) -> NDArray[Any]:
        """Return (n, classes) raw outputs of (n, ...) examples."""
        return np.stack([self.invoke(self.quantised(example[None]))[0] for example in examples])

    def dequantised(self, outputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return raw outputs as scores: x = (q - zero point) * scale."""
        return _dequantised(outputs, self.output)

    def scores(self, examples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, classes) dequantised scores of (n, ...) examples."""
        return self.dequantised(self.outputs(examples))


def open_model(
    path: Path, runtime: str = "litert", threads: int = 1, kernels: str = "default"
) -> Model:
    """Return the model, open on the CPU.

    kernels: "default" are the runtime's fast ones, which differ between x86 and ARM by some quantisation
             steps for per-channel int8 models; "reference" are TFLite's plain ones: slow, and the same to the
             bit everywhere.
    """
    return Model(_Cpu(path, runtime, threads, kernels))


def open_on(
    accelerator: str,
    int8_model: Path,
    compiled_model: "Path | None",
    runtime: str,
    threads: int = 1,
    library: str = _delegate.LIBRARY,
    roots: Roots = HERE,
) -> Model:
    """Return the compiled model on the Edge TPU, or the int8 model on the CPU with a note that says
    why.
    """
    if accelerator != "edgetpu":
        if accelerator != "none":
            note(
                f"TFLite is given no accelerator '{accelerator}' here: the int8 model runs on the CPU"
            )
        return open_model(int8_model, runtime, threads)
    try:
        return Model(_delegate.EdgeTpu(compiled_model or int8_model, runtime, library, roots))
    except _delegate.Unavailable as reason:
        note(
            f"no Edge TPU is used (looked for {LOOKED_FOR}): {reason}; the int8 model runs on the CPU instead"
        )
    return open_model(int8_model, runtime, threads)


def quantisation(tensor: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller must know of an input or output tensor."""
    scale, zero_point = tensor["quantization"]
    return {
        "shape": [int(n) for n in tensor["shape"]],
        "type": np.dtype(tensor["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


class _Cpu:
    """An interpreter in this process."""

    accelerator = "cpu"

    def __init__(self, path: Path, runtime: str, threads: int, kernels: str) -> None:
        if kernels not in KERNELS:
            raise StageError(f"there are no kernels '{kernels}': {' or '.join(KERNELS)}")
        self.runtime, module = runtime_module(runtime)
        resolver = (
            module.OpResolverType.BUILTIN_REF
            if kernels == "reference"
            else module.OpResolverType.AUTO
        )
        try:
            self._interpreter = module.Interpreter(
                model_content=path.read_bytes(),
                num_threads=threads,
                experimental_op_resolver_type=resolver,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise StageError(
                f"{self.runtime} cannot open the model: {str(error).splitlines()[0]}"
            ) from None
        self.input: dict[str, Any] = self._interpreter.get_input_details()[0]
        self.output: dict[str, Any] = self._interpreter.get_output_details()[0]

    def invoke(self, tensor: NDArray[Any]) -> tuple[NDArray[Any], float]:
        self._interpreter.set_tensor(self.input["index"], tensor)
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        took_ms = (time.perf_counter_ns() - start) / 1e6
        return self._interpreter.get_tensor(self.output["index"]), took_ms

    def peak_memory_mb(self) -> None:
        return None


def _quantised(values: NDArray[np.float32], tensor: dict[str, Any]) -> NDArray[Any]:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(
        tensor["dtype"]
    )


def _dequantised(values: NDArray[Any], tensor: dict[str, Any]) -> NDArray[np.float32]:
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)
