"""The inputs and outputs of a trained model, read from its own form without converting it."""

import json
import tempfile
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.edge._convert import in_child, python_name, with_batch
from stages.edge._ends import Ends
from stages.edge._opening import keras_network, signature_of
from stages.edge._sources import Source
from stages.tflite.tensor import Tensor


def ends(source: Source) -> tuple[Ends, Ends]:
    """Return the inputs and outputs by name, as they are after conversion with a batch of 1.

    StageError: the model cannot be opened, or an input has an open size or is text.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "ends.json"
        in_child(_write, source, written)  # TensorFlow stays out of this process
        inputs, outputs = json.loads(written.read_text(encoding="utf-8"))
    if not inputs:
        raise StageError("the model has no input: use a network with an input")
    for name, (shape, kind) in inputs.items():
        if why := _obstacle(shape, kind):
            raise StageError(f"the input '{name}' {why}")
    return _tensors(inputs), _tensors(outputs)


def _obstacle(shape: "list[int | None]", kind: str) -> str:
    if kind == "string":
        return "is text: start the network after the layer that reads text"
    if None in shape:
        return f"is {shape}: give the network fixed shapes"
    if shape[:1] != [1]:
        return f"is {shape}: give the network a batch of 1 as its first dimension"
    return ""


def _write(source: Source, to: Path) -> None:
    found = _of_saved_model(source.path) if source.kind == "saved_model" else _of_network(source)
    to.write_text(json.dumps(found), encoding="utf-8")


def _of_network(source: Source) -> list[dict[str, Any]]:
    network = keras_network(source)
    inputs, outputs = (
        {python_name(one.name): ([1, *one.shape[1:]], str(one.dtype)) for one in ends}
        for ends in (network.inputs, network.outputs)
    )
    return [inputs, outputs]


def _of_saved_model(folder: Path) -> list[dict[str, Any]]:
    _, default = signature_of(folder)
    groups = (default.structured_input_signature[1], default.structured_outputs)
    return [
        {name: (with_batch(name, one.shape), one.dtype.name) for name, one in group.items()}
        for group in groups
    ]


def _tensors(found: dict[str, Any]) -> Ends:
    return {
        name: Tensor(name, tuple(size or 1 for size in shape), kind)
        for name, (shape, kind) in found.items()
    }
