"""Quantises a Keras 2.15 network for the camera with Sony's Model Compression Toolkit.

The camera gives its network the pixels 0..255 as they are, whatever the scale of the network's input
says (raspberrypi/imx500-models and the logs of imx500-package: kscale 1.0, kshift 0). So that scale
must be 1, which the toolkit chooses if it sees bright pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.stage import StageError, progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 10
PIXELS = 256  # values of a pixel


def quantised(model: Any, pictures: NDArray[np.uint8], only_ranges: bool = False) -> Any:
    """Return the quantised network, with an unsigned input of scale 1.

    pictures: training examples (n, h, w, 3)
    only_ranges: take each tensor's range as its threshold, instead of the one with the least error:
                 much faster, for a network of which only the memory is of interest
    StageError: the toolkit cannot quantise the network.
    """
    found = _quantised(model, pictures, only_ranges)
    if _takes_pixels(found):
        return found
    brighter = np.concatenate([pictures, _ramp(pictures.shape[1:])])
    found = _quantised(model, brighter, only_ranges)
    if not _takes_pixels(found):
        raise StageError(
            "the toolkit gave the network's input another scale than 1, but the camera always gives "
            "it pixels of 0 to 255: calibrate it with brighter pictures"
        )
    return found


def save(model: Any, to: Path) -> None:
    """Write the quantised network in the form that the converter reads."""
    import model_compression_toolkit as mct

    mct.exporter.keras_export_model(model=model, save_model_path=str(to))


def load(path: Path) -> Any:
    """Return a network that `save` wrote."""
    import model_compression_toolkit as mct

    return mct.keras_load_quantized_model(str(path), compile=False)


def outputs_of(model: Any, pictures: Any, batch: int = 32) -> list[NDArray[np.float32]]:
    """Return a network's outputs for pixels (n, h, w, 3), each (n, ...), read batch by batch."""
    made: list[list[NDArray[np.float32]]] = []
    for at in range(0, len(pictures), batch):
        progress(at, len(pictures), "run the network")
        found = model(np.asarray(pictures[at : at + batch], np.float32), training=False)
        listed = found if isinstance(found, (list, tuple)) else [found]
        made.append([np.asarray(one, np.float32) for one in listed])
    return [np.concatenate(parts) for parts in zip(*made, strict=True)]


def _quantised(model: Any, pictures: NDArray[np.uint8], only_ranges: bool) -> Any:
    import model_compression_toolkit as mct

    def batches() -> Iterator[list[NDArray[np.float32]]]:
        for at in range(0, len(pictures), BATCH):
            progress(at, len(pictures), "calibrate")
            yield [pictures[at : at + BATCH].astype(np.float32)]

    method = mct.core.QuantizationErrorMethod
    error = method.NOCLIPPING if only_ranges else method.MSE
    config = mct.core.QuantizationConfig(activation_error_method=error, weights_error_method=error)
    capabilities = mct.get_target_platform_capabilities("tensorflow", "imx500")
    try:
        found, _ = mct.ptq.keras_post_training_quantization(
            model,
            batches,
            core_config=mct.core.CoreConfig(quantization_config=config),
            target_platform_capabilities=capabilities,
        )
    except Exception as error:  # the toolkit raises Exception itself
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        raise StageError(
            f"the Model Compression Toolkit cannot quantise the network: {lines[0][:300]}; the whole "
            "error is in the log"
        ) from error
    return found


def _takes_pixels(model: Any) -> bool:
    """Return whether the network's input is unsigned, in 8 bits, with a scale of 1."""
    holder = next(
        layer
        for layer in model.layers
        if type(layer).__name__ == "KerasActivationQuantizationHolder"
    )
    config = holder.activation_holder_quantizer.get_config()
    thresholds = np.ravel(config.get("threshold", ()))
    return not config.get("signed") and list(thresholds) == [PIXELS] and config["num_bits"] == 8


def _ramp(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return one picture with every value of a pixel (1, h, w, 3)."""
    size = int(np.prod(shape))
    return (np.arange(size) % PIXELS).astype(np.uint8).reshape(1, *shape)
