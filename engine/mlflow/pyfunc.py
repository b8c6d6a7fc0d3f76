"""The code of every packed model in MLflow: loads its main model and runs it on batches of tensors.

MLflow copies this file beside the model and executes the copy, so it imports nothing of this
project.
"""

import importlib
from pathlib import Path
from typing import Any

import mlflow.models
import numpy
from mlflow.pyfunc.model import PythonModel


class TFLiteModel(PythonModel):
    """Accepts the tensors by name (a single one also without), and returns the outputs by name."""

    def load_context(self, context: Any) -> None:
        """Load the model."""
        path = Path(context.artifacts["package"]) / context.model_config["model"]
        self._interpreter = _interpreter(str(path))
        self._interpreter.allocate_tensors()

    def predict(
        self,
        context: Any,
        model_input: numpy.ndarray,  # type: ignore[type-arg] # MLflow knows it bare, or warns
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Run the examples one at a time: a compiled model has a batch size of one.

        model_input: a dictionary of arrays, or the array of the only tensor.
        """
        inputs = self._interpreter.get_input_details()
        named = model_input if isinstance(model_input, dict) else {inputs[0]["name"]: model_input}
        tensors = [numpy.asarray(named[tensor["name"]], tensor["dtype"]) for tensor in inputs]
        rows = [
            self._run_one([tensor[i : i + 1] for tensor in tensors]) for i in range(len(tensors[0]))
        ]
        names = [tensor["name"] for tensor in self._interpreter.get_output_details()]
        return {name: numpy.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}

    def _run_one(self, example: list[Any]) -> list[Any]:
        for tensor, value in zip(self._interpreter.get_input_details(), example, strict=True):
            self._interpreter.set_tensor(tensor["index"], value.reshape(tensor["shape"]))
        self._interpreter.invoke()
        return [
            self._interpreter.get_tensor(t["index"]) for t in self._interpreter.get_output_details()
        ]


def _interpreter(path: str) -> Any:
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        try:
            return importlib.import_module(name).Interpreter(model_path=path)
        except ImportError:
            continue
    raise ImportError("this model runs on LiteRT: pip install ai-edge-litert")


mlflow.models.set_model(TFLiteModel())
