"""Converts trained models to TFLite: a float and an int8 form for each role."""

from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    from stages.edge._sources import Source
    from stages.tflite.schema import Model
    from stages.tflite.tensor import Tensor

# the first characters of files that `model` accepts, checked when planning; ? is any character
READS = {
    "model": {
        "a .keras file": "PK\x03\x04",
        "an .h5 file": "\x89HDF",
        "a .tflite file": "????TFL3",
        "a SavedModel folder": "",
    }
}
LOADS = {"accelerator": "stages.accelerators"}


class QuantiseMetrics(TypedDict):
    """The number of models; the bytes of all int8 and of all float forms; and the float tensors inside
    the int8 forms, which must be none for a converted model.
    """

    models: float
    int8_bytes: NotRequired[float]
    float_bytes: NotRequired[float]
    float_tensors: float


def quantise(
    model: In,
    models: Out,
    train: In | None = None,
    ready: In | None = None,
    *,
    role: str = "model",
    input_type: Literal["uint8", "int8", "int32", "float32"] = "int8",
    output_type: Literal["uint8", "int8", "int32", "float32"] = "int8",
    calibration_examples: Annotated[int, Range(ge=1)] = 500,
    seed: Annotated[int, Range(ge=0)] = 0,
    accelerator: str = "none",
) -> QuantiseMetrics:
    """Convert with batch 1 and fixed shapes, calibrated on real training examples.

    model:  architecture.json and weights_*.npy of a Keras model, a .keras or .h5 file, a SavedModel
            with the signature serving_default, a .tflite file, or a folder of int8.tflite and
            optionally float.tflite and a compiled form; or a folder with one of these for each role
    models: ROLE/float.tflite (float32) and ROLE/int8.tflite; a ready .tflite is copied unchanged, and so
            are the arrays of an estimator, arrays.npz, whose arithmetic has no int8 form
    train:  a part with a tensor for each input, or a folder with one part for each role; not needed if
            all models are ready
    ready:  further models that another stage has already converted, ROLE/*.tflite, copied unchanged; the
            folder may be empty
    role:   of a single model
    input_type, output_type: int8, uint8 or float32; float inputs and outputs are converted on the CPU,
            even with an accelerator. Integer inputs and outputs of the model keep their type; int32 is
            allowed only for them
    calibration_examples: the maximum number of training examples for calibration
    seed:                 of the choice of these examples
    accelerator:          of the target, whose compiler must be able to read the models
    Use only SavedModels that you trust: they are programs. StageError: no examples for calibration;
    the converter failed or left float tensors (ELU, LayerNorm and the like silently stay float); also
    anything that the accelerator's compiler cannot read, such as newer operators, batches other than
    1, sizes that are not fixed. Source: TensorFlow Lite's guide to post-training quantisation.
    """
    from stages.edge import _sources

    found = _with_ready(_sources.find(model, role), ready)
    for at, (name, source) in enumerate(found.items()):
        progress(at, len(found), name)
        folder = models / name
        folder.mkdir(parents=True)
        if source.is_ready:
            _copy(source, folder)
        else:
            _convert(source, folder, train, (input_type, output_type), calibration_examples, seed)
        _check_readable(folder, accelerator)
    progress(len(found), len(found))
    return _metrics(models)


def _with_ready(found: "dict[str, Source]", ready: "Path | None") -> "dict[str, Source]":
    """Return the models by role, with those that are already converted."""
    from stages.edge._sources import Source

    more = sorted(ready.iterdir()) if ready else []
    if both := [path.name for path in more if path.name in found]:
        raise StageError(
            f"two models have the role '{both[0]}', one of them in `ready`: set another role"
        )
    return {**found, **{path.name: Source("published", path) for path in more}}


def _convert(
    source: "Source",
    folder: "Path",
    train: "Path | None",
    ends: tuple[str, str],
    count: int,
    seed: int,
) -> None:
    """Write float.tflite and int8.tflite of one role."""
    import tempfile
    from pathlib import Path

    from stages.edge import _convert
    from stages.edge._ends import ends as ends_of
    from stages.tflite import calibration
    from stages.tflite.schema import read_model

    to_float, to_int8 = folder / "float.tflite", folder / "int8.tflite"
    with tempfile.TemporaryDirectory() as exported:
        _convert.in_child(_convert.to_float, source, Path(exported), to_float)
        inputs, outputs = ends_of(read_model(to_float))
        _check_ends(inputs, outputs, ends)
        chosen = calibration.choose(train, folder.name, inputs, count, seed)
        _convert.in_child(_convert.to_int8, Path(exported), chosen, *ends, to_int8)
    inside = _floats_inside(read_model(to_int8))
    if inside:
        raise StageError(
            f"{len(inside)} tensors of the int8 model are float, such as '{inside[0]}': use operations "
            "with an int8 form"
        )


def _check_ends(
    inputs: dict[str, "Tensor"], outputs: dict[str, "Tensor"], ends: tuple[str, str]
) -> None:
    """Refuse int32 for a float input or output: TFLite has no such conversion."""
    for side, tensors, wanted in (("input", inputs, ends[0]), ("output", outputs, ends[1])):
        for tensor in tensors.values():
            if wanted == "int32" and tensor.type.startswith("float"):
                raise StageError(
                    f"TFLite cannot make the float {side} '{tensor.name}' int32: set {side}_type to "
                    "int8, uint8 or float32"
                )


def _copy(source: "Source", folder: "Path") -> None:
    """Copy ready files, each under the name of its form."""
    from stages.tflite import roles

    forms = roles.files(source.path)
    if source.kind == "tflite" and "float" in forms:
        note(
            f"{source.path.name} is a float model in TFLite's format, which cannot be quantised; to "
            "quantise it, give the Keras model or SavedModel that it was converted from"
        )
    if "arrays" in forms:
        note(
            f"{folder.name} is an estimator as arrays: not quantised; numpy evaluates it in float64"
        )
    for form, path in forms.items():
        roles.copy(form, path, folder)


def _check_readable(folder: "Path", accelerator: str) -> None:
    """Refuse a model that the accelerator's compiler cannot read, unless it is already compiled."""
    from stages import accelerator as accelerators
    from stages.tflite.schema import read_model

    found, int8 = accelerators.of(accelerator), folder / "int8.tflite"
    if found is None or not int8.is_file() or (folder / found.FILE).is_file():
        return
    if obstacles := found.obstacles(read_model(int8)):
        raise StageError("; ".join(obstacles))


def _floats_inside(model: "Model") -> list[str]:
    """Return the float tensors of an int8 model that are neither its inputs nor its outputs."""
    return [
        tensor.name
        for graph in model.subgraphs
        for place, tensor in enumerate(graph.tensors)
        if tensor.type.startswith("FLOAT") and place not in (*graph.inputs, *graph.outputs)
    ]


def _metrics(models: "Path") -> QuantiseMetrics:
    from stages.tflite import roles
    from stages.tflite.schema import read_model

    found = list(roles.by_role(models).values())
    int8 = [forms["int8"] for forms in found if "int8" in forms]
    floating = [forms["float"] for forms in found if "float" in forms]
    inside = sum(len(_floats_inside(read_model(path))) for path in int8)
    metrics = QuantiseMetrics(models=float(len(found)), float_tensors=float(inside))
    if int8:
        metrics["int8_bytes"] = float(sum(path.stat().st_size for path in int8))
    if floating:
        metrics["float_bytes"] = float(sum(path.stat().st_size for path in floating))
    return metrics
