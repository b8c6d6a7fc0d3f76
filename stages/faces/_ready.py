"""Takes an embedder that is already a `.tflite` file as it is, and finds out what it reads."""

from math import prod
from pathlib import Path

from engine.stage import StageError
from stages.tasks.face_input import FaceInput
from stages.tflite import roles
from stages.tflite.interpreters import ANY
from stages.tflite.model import open_model
from stages.tflite.tensor import Tensor, only

SMALLEST = 32  # sides of a face, in pixels
# InsightFace aligns faces of 112 pixels so that the eyes are 0.31 apart, and the middle of eyes, nose and
# mouth is at 0.64 of the height (insightface, utils/face_align.py); MobileFaceNet and ArcFace are trained so.
SCALE, DOWN = 0.9, 0.137
MEAN, DEVIATION = 127.5, 128.0  # of float pixels, also InsightFace's


def is_ready(path: Path) -> bool:
    """Return whether these are models in `.tflite` form, not weights."""
    if path.is_dir():
        return any((path / roles.file_of(form)).is_file() for form in roles.forms())
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3"


def take(path: Path, model: Path) -> FaceInput:
    """Copy the models into a folder, and return the input; StageError: not an embedder."""
    forms = roles.files(path)
    opened = open_model(roles.runnable(forms)[0], ANY)
    picture, embedding = only(opened.inputs, "input"), only(opened.outputs, "output")
    size = prod(embedding.shape)
    if embedding.shape[-1] != size or size < 2:
        raise StageError(
            f"the embedder's output is {embedding}, not one embedding: set assets.embedder to another network"
        )
    found = _input(picture)
    model.mkdir()
    for form, file in forms.items():
        roles.copy(form, file, model)
    return found


def _input(picture: Tensor) -> FaceInput:
    shape = picture.shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape[1:3]) < SMALLEST:
        raise StageError(
            f"the embedder's input is {picture}, not one RGB picture: set assets.embedder to another network"
        )
    mean, deviation = MEAN, DEVIATION
    if picture.type in ("int8", "uint8"):  # a pixel is one of the 256 steps
        least = -128 if picture.type == "int8" else 0
        mean, deviation = float(picture.zero_point - least), 1 / (picture.scale or 1.0)
    return FaceInput(shape[1], shape[2], SCALE, DOWN, mean, deviation)
