"""Converts the quantised network into the file that the AI Camera loads, with Sony's converter."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.imx500._converter import Made
    from stages.imx500._quantised import About

OPTIONAL = ("tensorflow",)
PROGRAMS = ("java", "imxconv-tf")
# As in stages/accelerators/imx500.py, which is not imported: a change of it would convert again.
TENSORS = "imx500.json"
VERSION = 1


class CompileMetrics(TypedDict):
    """compiled: 1 if a network was converted for the camera, 0 if not; a note and the log say why.

    packed_bytes: of the file that the camera's firmware loads.
    """

    compiled: float
    packed_bytes: NotRequired[float]


def compile(
    models: In,
    quantised: In,
    memory: In,
    compiled: Out,
    log: Annotated[Out, Suffix(".json")],
    *,
    input_persistency: bool = True,
    timeout_s: Annotated[float, Range(gt=0)] = 3600,
) -> CompileMetrics:
    """Convert the network with `imxconv-tf`, which exists for x86-64 only, if it fits.

    models:    ROLE/int8.tflite and other forms, which are copied
    quantised: what stages.imx500.quantise wrote; memory: the report of stages.imx500.memory
    compiled:  the copies, and in the camera's role packerOut.zip, which imx500-package turns into the
               camera's file; dnnParams.xml, the converter's description of the tensors; and imx500.json:
               inputs and outputs under our names, in the camera's order, with shape, scale, zero point,
               bits and format; and the memory report
    log:       JSON: whether a network was converted; for each role, whether and by what, or why not
    input_persistency: as in the memory report
    timeout_s: limit of the converter, in seconds
    StageError: the converter failed or took too long; the network's input is not what the camera gives
    it, unsigned pixels with a scale of 1.
    """
    import json

    from stages.imx500 import _quantised, _toolkit
    from stages.tflite import roles

    copies = roles.copy_all(models, compiled)
    about = _quantised.read(quantised)
    report = json.loads(memory.read_text(encoding="utf-8"))
    why = about.why or report["why"] or _toolkit.without_converter()
    if not why and not report["fits"]:
        why = "it does not fit into the camera's memory"
    if why:
        note(
            f"{about.role or 'the model'}: not converted for the camera: {why}; the package contains "
            "models for the CPU only"
        )
    rows: dict[str, dict[str, Any]] = {role: {"compiled": False} for role in copies}
    metrics = CompileMetrics(compiled=0.0)
    if not why:
        folder = compiled / str(about.role)
        folder.mkdir(exist_ok=True)
        network = quantised / _quantised.NETWORK
        size = _convert(network, about, report, folder, input_persistency, timeout_s)
        rows[str(about.role)] = {"compiled": True, "by": _toolkit.converter(), "packed_bytes": size}
        metrics = CompileMetrics(compiled=1.0, packed_bytes=float(size))
        note(f"{about.role}: converted for the camera with {_toolkit.converter()}: {size:,} bytes")
    whole = {"compiled": not why, "accelerator": "imx500", "why": why, "models": rows}
    if not why:
        whole["memory"] = report
    log.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _convert(
    network: "Path",
    about: "About",
    report: dict[str, Any],
    folder: "Path",
    input_persistency: bool,
    timeout_s: float,
) -> int:
    """Write packerOut.zip, dnnParams.xml and imx500.json, and return the bytes of the first."""
    import json
    import shutil

    from stages.imx500 import _converter, _dnn_params

    progress(0, 1, "convert")
    with _converter.made(
        network, only_memory=False, input_persistency=input_persistency, timeout_s=timeout_s
    ) as made:
        packed = made.folder / _converter.PACKED
        if made.status or not packed.is_file():
            raise StageError(_failure(made, about))
        tensors = _dnn_params.read(made.folder / _converter.DNN_PARAMS)
        described = {
            "v": VERSION,
            "inputs": _inputs(tensors, about),
            "outputs": _dnn_params.named(tensors.outputs, about.outputs),
            "memory": report,
        }
        for name in (_converter.PACKED, _converter.DNN_PARAMS):
            shutil.copyfile(made.folder / name, folder / name)
    (folder / TENSORS).write_text(json.dumps(described, indent=1), encoding="utf-8")
    progress(1, 1)
    return (folder / _converter.PACKED).stat().st_size


def _failure(made: "Made", about: "About") -> str:
    from stages.imx500 import _converter, _memory_report

    refused = _memory_report.unsupported(made.log, about.layers)
    return _memory_report.said(refused) if refused else _converter.failure(made)


def _inputs(tensors: Any, about: "About") -> list[dict[str, Any]]:
    """Return the described input; the camera gives it pixels 0..255, whatever its scale is."""
    from stages.imx500 import _dnn_params

    found = _dnn_params.named(tensors.inputs, about.inputs)
    for one in found:
        if (one["format"], one["scale"], one["bits"]) != ("unsigned", 1.0, 8):
            raise StageError(
                f"the input '{one['name']}' is {one['format']} with a scale of {one['scale']:g}, but "
                "the camera gives it pixels of 0 to 255: quantise the network again with brighter "
                "pictures"
            )
    return found
