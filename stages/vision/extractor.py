"""Checks a pretrained network that turns a picture into an embedding, and copies it unchanged."""

import json
from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.tflite.tensor import Tensor

SMALLEST = 32  # sides of a picture, in pixels


class ExtractorMetrics(TypedDict):
    """Side of the network's input, in pixels, and size of its embedding."""

    picture_size: float
    embedding_size: float


def extractor(
    model: In,
    models: Out,
    picture: Annotated[Out, Suffix(".json")],
    packed: In | None = None,
    *,
    method: str,
) -> ExtractorMetrics:
    """Check that the network has one picture as input and one embedding as output.

    model:   a quantised .tflite file, or a folder with int8.tflite and perhaps a compiled twin
    packed:  a package whose last layer is extended
    models:  model/int8.tflite, and the compiled twin if it was published with it
    picture: JSON: size, and mean and deviation: the network reads (pixel - mean) / deviation

    method:  how the last layer is made: last_layer or imprint; must match the package

    StageError: several inputs or outputs, an input that is not a square RGB picture or not uint8 or
    int8, an output that is not a vector or consists of class probabilities; a package made
    with another extractor or method.
    """
    from stages.tflite import roles
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model
    from stages.tflite.outputs import sha256

    files = roles.files(model)
    int8 = roles.runnable(files)[0]
    if packed:
        _check_packed(packed, sha256(int8), method)
    opened = open_model(int8, ANY)
    about = _picture(opened.inputs)
    size = _embedding(opened.outputs, int8)
    (models / "model").mkdir(parents=True)
    for form, path in files.items():
        roles.copy(form, path, models / "model")
    picture.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return ExtractorMetrics(picture_size=float(about["size"]), embedding_size=float(size))


def _check_packed(packed: "Path", sha256: str, method: str) -> None:
    from stages.vision._packed import open_packed

    found = open_packed(packed)
    if found.method != method:
        raise StageError(
            f"assets.packed was made with params.method={found.method}: use the same method"
        )
    if found.extractor_sha256 != sha256:
        raise StageError(
            "assets.packed was made with another extractor than assets.extractor: set "
            "assets.extractor to the file with the sha256 " + found.extractor_sha256
        )


def _picture(inputs: "dict[str, Tensor]") -> "dict[str, float]":
    """Return size, mean and deviation of the only input, (1, size, size, 3)."""
    from stages.tflite.tensor import only

    tensor = only(inputs, "input")
    shape = tensor.shape
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or shape[1] < SMALLEST:
        raise StageError(
            f"the extractor's input is {tensor}, not a square RGB picture: set assets.extractor to "
            "another network"
        )
    if tensor.type not in ("uint8", "int8"):
        raise StageError(
            f"the extractor's input is {tensor}: use a quantised network with a uint8 or int8 input"
        )
    least = -128 if tensor.type == "int8" else 0
    return {
        "size": shape[1],
        "mean": float(tensor.zero_point - least),
        "deviation": 1 / (tensor.scale or 1.0),
    }


def _embedding(outputs: "dict[str, Tensor]", path: "Path") -> int:
    """Return the size of the only output, which must be a vector, but not class probabilities."""
    from math import prod

    from stages.tflite.schema import read_model
    from stages.tflite.tensor import only

    tensor = only(outputs, "output")
    size = tensor.shape[-1]
    if size < 2 or prod(tensor.shape) != size:
        raise StageError(
            f"the extractor's output is {tensor}, not one embedding: end the network with an "
            "average over the picture"
        )
    graph = read_model(path).subgraphs[0]
    if any(one.type == "SOFTMAX" and graph.outputs[0] in one.outputs for one in graph.operators):
        raise StageError(
            f"{path.name} outputs the probabilities of {size} classes: use a network without the "
            "classification layer"
        )
    return size
