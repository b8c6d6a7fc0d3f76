"""Runs a `.tflite` file with the interpreter inside TensorFlow, where no other runtime is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.tflite.naming import names_in

if TYPE_CHECKING:
    from numpy.typing import NDArray


def outputs_of(path: Path, values: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Return the outputs of a float model with one input, by name, each (examples, ...).

    values: (examples, ...) in the model's form
    """
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    details = interpreter.get_output_details()
    names = names_in(path).outputs
    made: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for value in values:
        interpreter.set_tensor(source["index"], value[None].astype(source["dtype"]))
        interpreter.invoke()
        for name, detail in zip(names, details):
            made[name].append(interpreter.get_tensor(detail["index"]))
    return {name: np.concatenate(rows).astype(np.float32) for name, rows in made.items()}
