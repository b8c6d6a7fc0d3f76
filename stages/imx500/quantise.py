"""Quantises the network that sees the whole frame for the AI Camera, with Sony's toolkit."""

from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from stages.imx500._pictures import Pictures
    from stages.imx500._quantised import About
    from stages.imx500._source import Opened

OPTIONAL = ("model_compression_toolkit", "tensorflow", "h5py")
LOADS = {"task": "stages.tasks"}  # the task declares which of its models sees the whole frame

TOLERANCE = 1e-3  # of the largest output: how far a rebuilt network may be from the float model
COMPARED = 16  # training examples
DIFFERENT_OUTPUTS = (
    "the packaged model has other outputs ({theirs}) than the trained network ({ours}), because it "
    "decodes them itself"
)


class QuantiseMetrics(TypedDict):
    """quantised: 1 if the network is quantised for the camera, 0 if not; a note says why.

    calibration_examples: the pictures that calibrated it. max_difference: the largest difference of the
    rebuilt network's outputs from the float model's, before it is quantised.
    """

    quantised: float
    calibration_examples: NotRequired[float]
    max_difference: NotRequired[float]


def quantise(
    quantised: Out,
    model: In | None = None,
    train: In | None = None,
    models: In | None = None,
    ready: In | None = None,
    test: In | None = None,
    *,
    task: str,
    role: str = "model",
    ready_role: str = "ready",
    calibration_examples: Annotated[int, Range(ge=1)] = 200,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> QuantiseMetrics:
    """Quantise to 8 bits with the Model Compression Toolkit, calibrated on real training examples.

    Sony's tools need Keras 2.15. So a Keras 3 model is rebuilt from its architecture and weights, and
    compared with the float model; a published .tflite is rebuilt from its constants.

    quantised: about.json: the role, the names of inputs and outputs in the network's order, and why it
               is not quantised, or what each layer needs of the memory; and quantised.keras
    model:  architecture.json and weights_*.npy of a Keras model, a .keras or .h5 file, or a folder with
            one of these for each role
    train:  a part with the network's pictures, uint8 (h, w, 3), or a folder with one part for each role
    models: ROLE/float.tflite, to compare with, and ROLE/int8.tflite
    ready:  published models: ROLE/*.tflite, or a single one
    test:   a part whose raw pictures calibrate the network if no training part has any
    task:   determines which role sees the whole frame, and so runs in the camera
    role, ready_role:     of a single model in `model` or `ready`
    calibration_examples: the maximum number of pictures for calibration
    seed:                 of the choice of these pictures
    Unquantised, with a note, if the toolkit is not installed, no model sees the whole frame, or there
    are no pictures of it. StageError: Keras 2.15 lacks a layer; the rebuilt network gives other outputs
    than the float model, by more than a thousandth of the largest; the toolkit failed.
    Source: Sony's Model Compression Toolkit, post-training quantisation for the IMX500.
    """
    from stages.imx500 import _pictures, _seen, _source, _toolkit

    quantised.mkdir()
    seen = _seen.role_of(task)
    if seen is None:
        return _unquantised(quantised, None, f"no model of the task '{task}' sees the whole frame")
    if missing := _toolkit.without_toolkit():
        return _unquantised(quantised, seen, missing)
    places = [each for each in (models, ready) if each is not None]
    source = _source.find(seen, role, model, places)
    if source is None and ready is not None and seen == ready_role:
        source = _source.single(ready)
    if source is None:
        return _unquantised(quantised, seen, f"no trained network of the role '{seen}' was given")
    found = _pictures.find(train, seen, calibration_examples, seed)
    scaling = None if isinstance(found, str) else found.scaling
    opened = _source.opened(source, scaling)
    if opened.undecoded:
        return _unquantised(quantised, seen, opened.undecoded)
    if isinstance(found, str) and test is not None:
        height, width = opened.model.input_shape[1:3]
        found = _pictures.raw(test, height, width, calibration_examples)
    if isinstance(found, str):
        return _unquantised(quantised, seen, found)
    _check_shape(opened, found)
    names, difference = _compared(opened, found, models / seen if models else None)
    if isinstance(difference, str):
        return _unquantised(quantised, seen, difference)
    about = _about(seen, opened, names, found, source, difference)
    return _quantise(quantised, about, opened, found)


def _quantise(
    folder: "Path", about: "About", opened: "Opened", found: "Pictures"
) -> QuantiseMetrics:
    from stages.imx500 import _ptq, _quantised

    _ptq.save(_ptq.quantised(opened.model, found.pictures), folder / _quantised.NETWORK)
    _quantised.write(folder, about)
    note(f"{about.role}: quantised for the camera with {about.by}, calibrated on {found.whence}")
    metrics = QuantiseMetrics(quantised=1.0, calibration_examples=float(about.examples))
    if about.max_difference is not None:
        metrics["max_difference"] = about.max_difference
    return metrics


def _about(
    role: str,
    opened: "Opened",
    names: "list[str]",
    found: "Pictures",
    source: "Path",
    difference: "float | None",
) -> "About":
    from stages.imx500 import _largest, _quantised, _toolkit

    return _quantised.About(
        role=role,
        inputs=tuple(opened.model.input_names),
        outputs=tuple(names),
        picture=found.scaling,
        rebuilt_from=source.suffix.lstrip(".") or "architecture",
        max_difference=difference,
        examples=len(found.pictures),
        by=_toolkit.quantiser(),
        layers=_largest.layers_of(opened.model),
    )


def _unquantised(folder: "Path", role: "str | None", why: str) -> QuantiseMetrics:
    from stages.imx500 import _quantised

    note(f"{role or 'the model'} stays unconverted, and does not run in the camera: {why}")
    _quantised.write(folder, _quantised.About(role, why))
    return QuantiseMetrics(quantised=0.0)


def _check_shape(opened: "Opened", found: "Pictures") -> None:
    shape = tuple(opened.model.input_shape[1:])
    if shape != found.pictures.shape[1:]:
        raise StageError(
            f"the network needs pictures of {list(shape)}, but those of the data set are "
            f"{list(found.pictures.shape[1:])}: make both the same size"
        )


def _compared(
    opened: "Opened", found: "Pictures", packed: "Path | None"
) -> "tuple[list[str], float | str | None]":
    """Return the packaged model's names of the outputs, and the largest difference from its float form:
    None if there is nothing to compare with, or a sentence if its outputs are others.
    """
    import numpy as np

    from stages.imx500 import _ptq
    from stages.tflite import by_tensorflow

    path = packed / "float.tflite" if packed else None
    if path is None or not path.is_file():
        return list(opened.outputs), None
    pictures = found.pictures[:COMPARED]
    made = _ptq.outputs_of(opened.model, pictures)
    there = by_tensorflow.outputs_of(path, found.values(pictures))
    names = _matched(opened, made, there)
    if names is None:
        if (
            opened.is_published
        ):  # rebuilt from the same file, up to the operators that the camera lacks
            return list(opened.outputs), None
        theirs, ours = ", ".join(there), ", ".join(opened.outputs)
        return [], DIFFERENT_OUTPUTS.format(theirs=theirs, ours=ours)
    largest = max(float(np.abs(one).max()) for one in there.values())
    difference = max(
        float(np.abs(ours - there[name]).max()) for ours, name in zip(made, names, strict=True)
    )
    if difference > TOLERANCE * max(largest, 1.0):
        raise StageError(
            f"the network, rebuilt in Keras 2.15, differs from the float model by up to "
            f"{difference:.3g}, which is more than {TOLERANCE:g} of its largest output: use Keras's "
            "own layers only, and quantise the model again"
        )
    return names, difference


def _matched(opened: "Opened", made: "list", there: "dict") -> "list[str] | None":
    """Return the packaged model's name of each output: the same name, or else the same place."""
    names = list(opened.outputs) if set(opened.outputs) == set(there) else list(there)
    shapes = [there[name].shape for name in names]
    return names if shapes == [one.shape for one in made] else None
