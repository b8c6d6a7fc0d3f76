"""Reports whether a Keras model would fit into the AI Camera's memory; it needs no data."""

from typing import Annotated, Any

from engine.stage import In, Out, StageError, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

OPTIONAL = ("tensorflow", "model_compression_toolkit", "h5py")
PROGRAMS = ("java", "imxconv-tf")
CHANNELS = (1, 3)  # of a picture that the camera can give its network


def fit(
    model: In,
    report: Annotated[Out, Suffix(".json")],
    *,
    input_persistency: bool = True,
    timeout_s: Annotated[float, Range(gt=0)] = 1800,
) -> None:
    """Quantise a model with random pictures, and run the converter's memory report.

    The ranges of the quantised tensors are meaningless then, but their sizes are those of the same
    network with any weights and pictures. So the report says nothing about accuracy.

    model:  a .keras or .h5 file with the whole model, or a folder with architecture.json
    report: JSON: what stages.imx500.memory writes. If the model cannot be converted, measured is false,
            and `why` is the reason: operators that the camera lacks, with their layers and replacements,
            layers that Keras 2.15 cannot rebuild, an input that is no picture, or tools that are missing
            here.
    input_persistency: keep the network's input in memory, so that it can be shown beside the outputs
    timeout_s: limit of the converter, in seconds
    StageError: the file is no Keras model, or damaged.
    """
    import json

    found = _found(model, input_persistency, timeout_s)
    report.write_text(json.dumps({"v": 1, **found}, indent=1), encoding="utf-8")


def _found(model: In, input_persistency: bool, timeout_s: float) -> "dict[str, Any]":
    """Return the report."""
    from stages.imx500 import _keras_file, _source, _toolkit

    if why := _toolkit.without_toolkit() or _toolkit.without_converter():
        return _unmeasured(why)
    found = _source.find("model", "model", model, [])
    if found is None:
        raise StageError(f"{model.name} is no Keras model")
    try:
        return _measured(_source.opened(found).model, input_persistency, timeout_s)
    except _keras_file.NotAModel:
        raise
    except StageError as refusal:
        return _unmeasured(str(refusal))


def _measured(network: Any, input_persistency: bool, timeout_s: float) -> "dict[str, Any]":
    """Return the report on a network; StageError: the camera cannot run it."""
    import tempfile
    from pathlib import Path

    from stages.imx500 import _largest, _measured, _ptq

    picture = _random_picture(network)
    progress(0, 1, "quantise with random pictures")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        _ptq.save(_ptq.quantised(network, picture, only_ranges=True), path)
        layers = _largest.layers_of(network)
        return _measured.measured(path, None, layers, input_persistency, timeout_s)


def _unmeasured(why: str) -> "dict[str, Any]":
    return {"measured": False, "why": why, "role": None}


def _random_picture(network: Any) -> Any:
    """Return a picture (1, h, w, channels) of pixels 0 to 255 in the size of the network's only input."""
    import numpy as np

    sizes = [tuple(each.shape[1:]) for each in network.inputs]
    if len(sizes) != 1:
        raise StageError(f"the model has {len(sizes)} inputs, but the camera gives it one picture")
    if len(sizes[0]) != 3 or sizes[0][2] not in CHANNELS:
        raise StageError(
            f"the model's input is {list(sizes[0])}, but the camera gives its network a picture: an input "
            "of (height, width, 3), or (height, width, 1) for grey pictures"
        )
    if None in sizes[0]:
        raise StageError("the model's input has no fixed size: save it with one, such as 224 x 224")
    return np.random.default_rng(0).integers(0, 256, (1, *sizes[0]), np.uint8)
