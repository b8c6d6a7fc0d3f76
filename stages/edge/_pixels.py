"""Decides how the pixels of a picture are scaled for a model, unless the user has specified it."""

import json
import zipfile
from typing import TYPE_CHECKING, Any

from stages.edge._sources import Source

if TYPE_CHECKING:
    from stages.tflite.tensor import Tensor

TAKES_PIXELS = (
    0.02  # a Rescaling layer with at most this scale, such as 1/255 or 1/127.5, expects 0 to 255
)
GUESSED = (
    "pixels are scaled to 0..1, which is a guess: the model does not say how it was trained. If it "
    "was trained with -1..1, pass params.mean=127.5 params.deviation=127.5; with 0..255, pass "
    "params.mean=0 params.deviation=1"
)
RESCALED = "the model has a Rescaling layer: it gets unscaled pixels, 0..255"


def scaling(
    tensor: "Tensor", source: Source, mean: float | None, deviation: float | None
) -> tuple[dict[str, float], str]:
    """Return mean and deviation of a pixel, and a note about them for the user, or ''.

    By default, a model that is quantised or has a Rescaling layer gets unscaled pixels, any other 0..1.
    """
    default_mean, default_deviation, remark = _default(tensor, source)
    chosen = {
        "mean": default_mean if mean is None else mean,
        "deviation": default_deviation if deviation is None else deviation,
    }
    return chosen, remark if mean is None and deviation is None else ""


def _default(tensor: "Tensor", source: Source) -> tuple[float, float, str]:
    if tensor.type in ("int8", "uint8"):
        least = -128 if tensor.type == "int8" else 0
        return float(tensor.zero_point - least), 1 / (tensor.scale or 1.0), ""
    if _rescales(_layers(source)):
        return 0.0, 1.0, RESCALED
    return 0.0, 255.0, GUESSED


def _layers(source: Source) -> Any:
    """Return the network's configuration as saved by Keras, or None if the format has none."""
    if source.kind == "keras":
        with zipfile.ZipFile(source.path) as archive:
            return json.loads(archive.read("config.json"))
    if source.kind == "architecture":
        return json.loads((source.path / "architecture.json").read_text(encoding="utf-8"))
    if source.kind == "h5":
        import h5py

        with h5py.File(source.path) as file:
            return json.loads(file.attrs["model_config"])
    return None


def _rescales(config: Any) -> bool:
    """Return whether the first Rescaling layer, even in a nested network, expects unscaled pixels."""
    scale = next(_scales(config), None)
    return isinstance(scale, int | float) and 0 < scale <= TAKES_PIXELS


def _scales(config: Any) -> Any:
    """Yield the scales of Rescaling layers in the order of the configuration."""
    if isinstance(config, dict):
        if config.get("class_name") == "Rescaling":
            yield config.get("config", {}).get("scale")
        config = list(config.values())
    if isinstance(config, list):
        for one in config:
            yield from _scales(one)
