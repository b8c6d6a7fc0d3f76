"""Builds the network that turns an aligned face into an embedding."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from stages.tasks.face_input import FaceInput


class EmbedderMetrics(TypedDict):
    """The number of the network's parameters; missing if it is a ready .tflite file."""

    parameters: NotRequired[float]


def embedder(
    weights: In | None,
    model: Out,
    face: Annotated[Out, Suffix(".json")],
    *,
    epochs: Annotated[int, Range(ge=1)] = 15,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> EmbedderMetrics:
    """Rebuild a published network from its weights, take a ready one, or train a small one.

    weights: a folder with manifest.json and weights.bin of HSE FaceRes (stages.faces._mobilenet) or of
             dlib's ResNet (stages.faces._resnet), or with a folder of each; or a .tflite file, float32 or
             quantised, whose faces are aligned as InsightFace does. Without it, a small network is trained
             on drawn faces: it is only good for the sample, whose faces are drawn too
    model:   architecture.json and weights_*.npy, float32 (1, height, width, 3) -> (1, d); or int8.tflite
    face:    JSON: the face that the network needs (stages.tasks.face_input), and the threshold to use if
             there are too few faces to calibrate one; null: unknown

    epochs:  of training without weights
    seed:    of training without weights
    threads: CPU threads of TensorFlow

    StageError: weights of another network; a .tflite file without one picture and one embedding.
    """
    from stages.faces import _ready

    if weights and _ready.is_ready(weights):
        _write(face, _ready.take(weights, model), None)
        return EmbedderMetrics()
    from stages.training.network import fix, save

    fix(seed, threads)
    network, kind = _rebuilt(weights) if weights else _trained(epochs)
    save(network, model)
    _write(face, kind.INPUT, kind.THRESHOLD)
    return EmbedderMetrics(parameters=float(network.count_params()))


def _rebuilt(folder: "Path") -> "tuple[Any, ModuleType]":
    """Return the network that has these weights, and its module."""
    from stages.faces import _fused, _mobilenet, _resnet, _weights

    try:
        weights = _weights.read_all(folder)
        found = next(one for one in (_fused, _mobilenet, _resnet) if weights.keys() >= one.NAMES)
        return found.build(weights), found
    except (LookupError, OSError, StopIteration, TypeError, ValueError) as error:
        raise StageError(
            f"{folder.name} does not contain the weights of a known face network ({error!r}): set "
            "assets.embedder to faceres_dlib, faceres, dlib_faces or a .tflite file"
        ) from None


def _trained(epochs: int) -> "tuple[Any, ModuleType]":
    from stages.faces import _small

    note("training a small network on drawn faces: it does not recognise people")
    return _small.trained(epochs), _small


def _write(to: "Path", face: "FaceInput", threshold: float | None) -> None:
    import json

    about = {**face.constants(), "threshold": threshold}
    to.write_text(json.dumps(about, indent=1), encoding="utf-8")
