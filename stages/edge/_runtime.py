"""Opens a TFLite model with the runtime that a target has, and runs it on float examples. Knows no domain."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, note


class Model:
    """An open model with one input and one output."""

    def __init__(self, path: Path, runtime: str, threads: int = 1) -> None:
        self.runtime, interpreter = _interpreter_class(runtime)
        try:
            self._interpreter = interpreter(model_content=path.read_bytes(), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise StageError(f"{self.runtime} cannot open the model: {str(error).splitlines()[0]}") from None
        self.input = self._interpreter.get_input_details()[0]
        self.output = self._interpreter.get_output_details()[0]

    def quantised(self, example: NDArray[np.float32]) -> NDArray[Any]:
        """Return the example (1, ...) as the model's input tensor: q = x / scale + zero point."""
        return _quantised(example, self.input)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model on an input tensor and return the raw output tensor."""
        self._interpreter.set_tensor(self.input["index"], tensor)
        self._interpreter.invoke()
        result: NDArray[Any] = self._interpreter.get_tensor(self.output["index"])
        return result

    def scores(self, examples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, classes) dequantised scores of (n, ...) examples."""
        rows = [self.invoke(self.quantised(example[None]))[0] for example in examples]
        return np.stack([_dequantised(row, self.output) for row in rows])

    def types(self) -> list[tuple[str, str]]:
        """Return name and type of every tensor, as the flatbuffer has them."""
        return [(d["name"], np.dtype(d["dtype"]).name) for d in self._interpreter.get_tensor_details()]


def quantisation(tensor: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller must know of an input or output tensor."""
    scale, zero_point = tensor["quantization"]
    return {
        "shape": [int(n) for n in tensor["shape"]],
        "type": np.dtype(tensor["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def _interpreter_class(runtime: str) -> tuple[str, Any]:
    """Return the runtime's name with its version, and its interpreter; LiteRT where tflite_runtime is not to be had."""
    from importlib.metadata import version

    if runtime == "tflite_runtime":
        try:
            from tflite_runtime.interpreter import Interpreter

            return f"tflite-runtime {version('tflite-runtime')}", Interpreter
        except ImportError:
            note("tflite-runtime has no build for this Python: LiteRT stands in for it")
    elif runtime != "litert":
        raise StageError(f"there is no runtime '{runtime}': litert or tflite_runtime")
    from ai_edge_litert.interpreter import Interpreter as LiteRT

    return f"LiteRT {version('ai-edge-litert')}", LiteRT


def _quantised(values: NDArray[np.float32], tensor: dict[str, Any]) -> NDArray[Any]:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(tensor["dtype"])


def _dequantised(values: NDArray[Any], tensor: dict[str, Any]) -> NDArray[np.float32]:
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)
