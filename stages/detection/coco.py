"""Checks the published COCO detector, and copies it unchanged for some of its classes."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from stages.tflite.tensor import Tensor


class CocoMetrics(TypedDict):
    """Side of the detector's input, in pixels, and how many of the 80 COCO classes it detects."""

    picture_size: float
    classes: float


def coco(
    model: In,
    models: Out,
    decision: Annotated[Out, Suffix(".json")],
    *,
    classes: list[str] | None = None,
    threshold: Annotated[float, Range(gt=0, lt=1)] = 0.5,
) -> CocoMetrics:
    """Copy a detector that was trained on COCO and decodes its boxes itself; nothing is trained.

    model:    the .tflite of the COCO SSD, or a folder with int8.tflite and perhaps a compiled twin
    models:   model/int8.tflite, and the compiled twin if it was published with it
    decision: JSON: size, scaling of pixels, thresholds by label in the order of labels.txt, and classes:
              the detector's number of each

    classes:   names of the COCO classes to detect, such as [person, dog]; none: all 80
    threshold: minimum score of a detection

    The detector returns its ten best detections of all 80 classes, so a picture full of other objects
    may hide a wanted one. StageError: a name that COCO does not have; an input that is not a square RGB
    picture in 8 bits; outputs of another network.
    """
    import json

    from stages.detection._coco_names import COLUMNS
    from stages.tasks import detect
    from stages.tflite import roles
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model

    labels = _labels(classes or list(COLUMNS))
    files = roles.files(model)
    opened = open_model(roles.runnable(files)[0], ANY)
    about: dict[str, Any] = {
        **_input(opened.inputs),
        "postprocess": detect.TFLITE,
        "thresholds": dict.fromkeys(labels, threshold),
        "classes": [COLUMNS[label] for label in labels],
    }
    detect.check_outputs(opened.outputs, about, len(labels), 0)
    (models / detect.MODEL).mkdir(parents=True)
    for form, path in files.items():
        roles.copy(form, path, models / detect.MODEL)
    decision.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return CocoMetrics(picture_size=float(about["size"]), classes=float(len(labels)))


def _labels(wanted: list[str]) -> list[str]:
    """Return the names in COCO's spelling, sorted."""
    from difflib import get_close_matches

    from stages.detection._coco_names import COLUMNS

    known = {name.casefold(): name for name in COLUMNS}
    for name in wanted:
        if name.casefold() not in known:
            near = get_close_matches(name.casefold(), known, 1)
            hint = (
                f"did you mean '{known[near[0]]}'?" if near else f"choose from {', '.join(COLUMNS)}"
            )
            raise StageError(f"params.classes: COCO has no class '{name}': {hint}")
    return sorted({known[name.casefold()] for name in wanted})


def _input(inputs: "dict[str, Tensor]") -> dict[str, Any]:
    """Return the size of the only input, and the mean and deviation of a pixel."""
    from stages.tflite.tensor import only

    tensor = only(inputs, "input")
    shape = tensor.shape
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or tensor.type != "uint8":
        raise StageError(
            f"the detector's input is {tensor}, not a square RGB picture in uint8: set assets.weights "
            "to coco_ssd"
        )
    scaling = {"mean": float(tensor.zero_point), "deviation": 1 / (tensor.scale or 1.0)}
    return {"size": shape[1], "picture": scaling}
