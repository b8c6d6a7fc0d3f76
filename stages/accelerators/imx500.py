"""The Raspberry Pi AI Camera's sensor, Sony's IMX500: runs one network on the frames that it captures.

Nothing else can be given to it. A model is therefore never opened on it: the package's int8 model runs on
the CPU, and on the device the camera returns its network's output tensors with each frame. `named` reads
these, and a task's `answer_seen` turns them into an answer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Tuple

import numpy as np

from engine.stage import StageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.accelerator import Session
    from stages.tflite.model import Worker
    from stages.tflite.schema import Model

    Rectangle = Sequence[float]  # left, top, width, height in pixels of the whole sensor

NAME = "imx500"
TITLE = "AI Camera"
FILE = "packerOut.zip"  # what imx500-package turns into the file that the camera loads
VERSION = 1  # of imx500.json
TENSORS = "imx500.json"  # the network's inputs and outputs, and the memory that it needs
BESIDE: tuple[str, ...] = (TENSORS, "dnnParams.xml")
VERSION_1_FILE: str | None = None
LOOKED_FOR = ""
TERMS = f"Sony's terms for its converter apply to `{FILE}`: read them before you distribute it"
OWN_FRAMES = "the AI Camera's network answers only the camera's own frames"
_DAMAGE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def is_compiled(path: Path) -> bool:
    """Return False: the converter makes no model in TFLite's format."""
    return False


def obstacles(int8: Model) -> list[str]:
    """Return nothing: the converter reads no int8 model, but quantises the trained one itself."""
    return []


def open(int8: Path, compiled: Path | None, runtime: str, session: Session) -> Worker:
    """Raise Unavailable: no other picture can be given to the camera's network."""
    from stages.accelerator import Unavailable  # a layer above

    raise Unavailable("model", OWN_FRAMES)


def obstacle() -> str | None:
    """Return why the server does not use the camera."""
    return f"{OWN_FRAMES}, and this program does not read its output tensors"


def card(log: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what runs in the camera, by whose conversion, how much of the memory it needs, and whose
    terms apply.
    """
    inside = [role for role, entry in models.items() if NAME in entry]
    parts = [_converted(role, log) for role in inside]
    if not inside:
        why = log.get("why")
        parts = [f"no network was converted{f' ({why})' if why else ''}"]
    if others := [f"`{role}`" for role in models if role not in inside]:
        parts.append(f"on the Raspberry Pi's CPU: {', '.join(others)}")
    if inside:
        parts.append(TERMS)
    return "; ".join(parts)


def _converted(role: str, log: Mapping[str, Any]) -> str:
    """Return that a role's network runs in the camera."""
    by = log.get("models", {}).get(role, {}).get("by")
    memory = _memory(log.get("memory") or {})
    return f"`{role}` runs in the camera{f', converted by {by}' if by else ''}{memory}"


def _memory(report: Mapping[str, Any]) -> str:
    """Return the memory that a network needs, if its report has the figures."""
    if not {"memory_bytes", "available_bytes", "fits"} <= report.keys():
        return ""
    used, available = report["memory_bytes"], report["available_bytes"]
    fits = "fits" if report["fits"] else "does not fit"
    return (
        f", {fits} into its memory: {used:,.0f} of {available:,.0f} bytes ({used / available:.0%})"
    )


@dataclass(frozen=True)
class Output:
    """An output of the network in the camera."""

    name: str  # ours
    shape: Tuple[int, ...]  # including the batch of 1
    scale: float  # a value is (number - zero_point) * scale
    zero_point: int

    def values(self, tensor: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values of a tensor of this shape, which may lack the batch."""
        found = np.asarray(tensor).reshape(self.shape)
        if found.dtype.kind in "iu":
            found = (found.astype(np.float32) - self.zero_point) * np.float32(self.scale)
        return np.asarray(found, np.float32)

    def fits(self, tensor: NDArray[Any]) -> bool:
        """Return whether a tensor has this shape, with or without the batch, and is real."""
        found = np.asarray(tensor)
        return found.dtype.kind in "fiu" and found.shape in (self.shape, self.shape[1:])


def described(role: Path) -> dict[str, Any]:
    """Return the packed description of the network in a role's folder, for `named`.

    StageError: the package has none for this role, or it is damaged.
    """
    try:
        found = json.loads((role / TENSORS).read_text(encoding="utf-8"))
        _check(found)
    except FileNotFoundError:
        raise StageError(
            f"the package has no network for the {TITLE} in {role.name}: package the model for a "
            "target with this camera"
        ) from None
    except _DAMAGE:
        raise StageError(f"{TENSORS} of the package is damaged: package the model again") from None
    return found  # type: ignore[no-any-return]


def named(
    tensors: Sequence[NDArray[Any]], about: Mapping[str, Any]
) -> dict[str, NDArray[np.float32]]:
    """Return the camera's output tensors as values (1, ...) by our names, as a task's `answer_seen` needs
    them.

    tensors: in the camera's order, with or without a batch, as IMX500.get_outputs(metadata) of Picamera2
             returns them: float32, which libcamera has dequantised; or the sensor's own numbers
             (github.com/raspberrypi/libcamera, imx500_tensor_parser.cpp, getVal8). The camera sends the
             first dimension fastest (serializationOrder in dnnParams.xml), which get_outputs considers
    about:   of `described`

    StageError: other tensors than those of the packed network, or values that are no numbers.
    """
    wanted = _outputs(about)
    arrays = [np.asarray(one) for one in tensors]
    if len(arrays) != len(wanted) or not all(one.fits(it) for one, it in zip(wanted, arrays)):
        has = ", ".join(f"{one.dtype} {list(one.shape)}" for one in arrays) or "no tensor"
        needs = ", ".join(f"{one.name} {list(one.shape)}" for one in wanted)
        raise StageError(
            f"the camera returns {has}, but the packed network has {needs}: load this package's network "
            "into the camera"
        )
    found = {one.name: one.values(it) for one, it in zip(wanted, arrays)}
    if odd := [name for name, values in found.items() if not np.isfinite(values).all()]:
        raise StageError(f"the camera's output '{odd[0]}' has values that are no finite numbers")
    return found


def region(seen: Rectangle, frame: Rectangle) -> Tuple[float, float, float, float]:
    """Return what the network sees as shares of the frame's height and width: top, left, bottom, right,
    the `region` of a task's `answer_seen`.

    seen:  the network's part of the sensor, which IMX500.config["roi"] of Picamera2 holds: by default the
           whole sensor, (0, 0, 4056, 3040), stretched to the network's input; after
           set_auto_aspect_ratio() its middle
    frame: the frame's part of the sensor: ScalerCrop in the frame's metadata, in the same pixels

    Picamera2's own convert_inference_coords takes the outputs as shares of the whole sensor whatever the
    network sees, so that it is only right if that is the whole sensor (picamera2/devices/imx500/imx500.py).
    """
    left, top, width, height = frame
    found_left, found_top, found_width, found_height = seen
    return (
        (found_top - top) / height,
        (found_left - left) / width,
        (found_top + found_height - top) / height,
        (found_left + found_width - left) / width,
    )


def _check(about: Mapping[str, Any]) -> None:
    """Raise ValueError if the description is not one that `named` understands."""
    outputs = _outputs(about)
    if about["v"] != VERSION or len({one.name for one in outputs}) != len(about["outputs"]):
        raise ValueError("another version, or a name that occurs twice")
    if not outputs or not all(math.isfinite(one.scale) and min(one.shape) > 0 for one in outputs):
        raise ValueError("no outputs, or impossible ones")


def _outputs(about: Mapping[str, Any]) -> list[Output]:
    return [
        Output(
            str(one["name"]),
            tuple(int(size) for size in one["shape"]),
            float(one["scale"]),
            int(one["zero_point"]),
        )
        for one in about["outputs"]
    ]
