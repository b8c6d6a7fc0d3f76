"""Opens a model with the target's runtime on the CPU, and runs an open one on named tensors, whatever
processor it is on. It is independent of domains. It also runs in small ARM images that have only numpy
and tflite-runtime.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Protocol, Tuple

import numpy as np

from engine.stage import StageError
from stages.tflite.interpreters import described, runtime_module
from stages.tflite.naming import names_in
from stages.tflite.numpy_model import NumpyModel
from stages.tflite.quantisation import dequantise, quantise
from stages.tflite.roles import is_arrays
from stages.tflite.turns import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tflite.tensor import Tensor

    Tensors = Mapping[str, NDArray[Any]]

KERNELS = ("default", "reference")

Result = Tuple[
    Dict[str, "NDArray[Any]"], float
]  # raw outputs, and the milliseconds of the inference


class Worker(Protocol):
    """The runtime and processor that run a model."""

    runtime: str  # with its version
    accelerator: str  # cpu, or the accelerator's name
    called: str  # the processor, as users call it
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def invoke(self, tensors: Tensors) -> Result:
        """Run the model on its input tensors, which were already checked."""

    def peak_memory_mb(self) -> float | None:
        """Return the peak memory of its own process; None if it shares one."""

    def close(self) -> None:
        """Release its resources; closing twice does nothing."""


class Model:
    """An open model; its inputs and outputs have names, in the order of the file."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.runtime, self.accelerator = worker.runtime, worker.accelerator
        self.called = worker.called  # the processor that it runs on, as users call it
        self.inputs, self.outputs = worker.inputs, worker.outputs

    def run(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the model on raw input tensors and return the raw output tensors.

        StageError: an input is missing, unknown, or has another shape or type.
        """
        _check(tensors, self.inputs)
        return self._worker.invoke(tensors)[0]

    def time_ms(self, tensors: Tensors) -> float:
        """Run the model on raw input tensors, and return the time of the inference alone."""
        _check(tensors, self.inputs)
        return self._worker.invoke(tensors)[1]

    def quantised(self, values: Tensors) -> dict[str, NDArray[Any]]:
        """Return one example's values (1, ...) as raw tensors for `run`."""
        _check_names(values, self.inputs)
        return {name: quantise(values[name], tensor) for name, tensor in self.inputs.items()}

    def dequantised(self, raw: Tensors) -> dict[str, NDArray[np.float32]]:
        """Return the values of raw outputs, of one example or of many."""
        return {name: dequantise(raw[name], tensor) for name, tensor in self.outputs.items()}

    def predict(self, values: Tensors) -> dict[str, NDArray[np.float32]]:
        """Run the model on one example's values (1, ...) and return its outputs as values."""
        return self.dequantised(self.run(self.quantised(values)))

    def raw_outputs(self, examples: Tensors) -> dict[str, NDArray[Any]]:
        """Return the raw outputs (n, ...) for n examples' values (n, ...), run one by one."""
        _check_names(examples, self.inputs)
        count = len(next(iter(examples.values())))
        rows = [
            self.run(self.quantised({name: examples[name][at : at + 1] for name in self.inputs}))
            for at in range(count)
        ]
        return {
            name: _stacked([row[name] for row in rows], self.outputs[name]) for name in self.outputs
        }

    def peak_memory_mb(self) -> float | None:
        """Return the peak memory of the model's own process.

        None if it has no process of its own.
        """
        return self._worker.peak_memory_mb()

    def close(self) -> None:
        """Release the model's resources, such as an accelerator; closing twice does nothing."""
        self._worker.close()


def open_model(
    path: Path, runtime: str = "litert", threads: int = 1, kernels: str = "default"
) -> Model:
    """Open the model on the CPU.

    runtime: litert, tflite_runtime, or any
    kernels: "default" are the runtime's fast kernels, which differ between x86 and ARM by some
             quantisation steps for per-channel int8 models; "reference" are TFLite's reference
             kernels: slow, but bit-equal everywhere
    An estimator as arrays runs with numpy, whatever the runtime; it has only one kind of kernels, which
    are bit-equal everywhere.

    StageError: the runtime cannot run the file as a TFLite model.
    """
    if is_arrays(path):
        return Model(NumpyModel(path))
    return Model(_Cpu(path, runtime, threads, kernels))


class _Cpu:
    """An interpreter in this process."""

    accelerator, called = "cpu", "CPU"

    def __init__(self, path: Path, runtime: str, threads: int, kernels: str) -> None:
        if kernels not in KERNELS:
            raise StageError(f"there are no kernels '{kernels}': choose {' or '.join(KERNELS)}")
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
                f"{self.runtime} cannot open the model {path.name}: {str(error).splitlines()[0]}"
            ) from None
        names = names_in(path)
        sources, results = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self.inputs = described(sources, names.inputs)
        self.outputs = described(results, names.outputs)
        self._sources = {name: one["index"] for name, one in zip(self.inputs, sources)}
        self._results = {name: one["index"] for name, one in zip(self.outputs, results)}
        # Two threads may share a model: one prepares its input while the other's inference runs.
        self._lock = threading.Lock()

    def invoke(self, tensors: Tensors) -> Result:
        try:
            with turn(self._lock):
                return self._invoked(tensors)
        except (ValueError, RuntimeError) as error:  # for example, an index outside a table
            raise StageError(
                f"{self.runtime} cannot run the model: {str(error).splitlines()[0]}"
            ) from None

    def _invoked(self, tensors: Tensors) -> Result:
        for name, index in self._sources.items():
            self._interpreter.set_tensor(index, tensors[name])
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        took_ms = (time.perf_counter_ns() - start) / 1e6
        results = {
            name: self._interpreter.get_tensor(index) for name, index in self._results.items()
        }
        return results, took_ms

    def peak_memory_mb(self) -> None:
        return None

    def close(self) -> None:
        """Do nothing: the garbage collector frees everything."""


def _check(tensors: Tensors, inputs: Mapping[str, Tensor]) -> None:
    """Refuse tensors that do not fit the model; some runtimes would accept them."""
    _check_names(tensors, inputs)
    for name, tensor in inputs.items():
        given = tensors[name]
        if given.shape != tensor.shape or given.dtype.name != tensor.type:
            raise StageError(
                f"the model needs {tensor}, not {given.dtype.name} {list(given.shape)}"
            )


def _check_names(tensors: Tensors, inputs: Mapping[str, Tensor]) -> None:
    if tensors.keys() != inputs.keys():
        raise StageError(
            f"the model needs the inputs {', '.join(inputs)}, not {', '.join(tensors) or 'none'}"
        )


def _stacked(rows: list[NDArray[Any]], tensor: Tensor) -> NDArray[Any]:
    """Return the outputs of single examples as one array, without their batch dimension of one."""
    if not rows:
        return np.zeros((0, *tensor.shape[1:]), tensor.type)
    singles = [row[0] if row.ndim and len(row) == 1 else row for row in rows]
    if len(sizes := {one.shape for one in singles}) > 1:
        raise StageError(
            f"the output '{tensor.name}' has a different size for each example, such as "
            f"{' and '.join(str(list(one)) for one in sorted(sizes)[:2])}: give the network outputs of "
            "fixed size"
        )
    return np.stack(singles)
