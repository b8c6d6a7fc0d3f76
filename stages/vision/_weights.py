"""Loads pretrained backbone weights from a Keras file, or from a `.tflite` file of the same network."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.training import tflite_weights


def load(body: Any, path: Path, called: str) -> None:
    """Load the weights of a file into the backbone.

    StageError: the file is neither a Keras nor a TFLite file, or does not fit the backbone.
    """
    try:
        if tflite_weights.is_tflite(path):
            tflite_weights.load(body.layers, path)
        else:
            with _named_for_keras(path) as file:
                body.load_weights(str(file))
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise StageError(
            f"the file has no weights for {called} without its top: {reason}; set params.backbone and "
            "params.alpha to match the file, or choose other assets.weights"
        ) from None


@contextmanager
def _named_for_keras(path: Path) -> Iterator[Path]:
    """Give the file the suffix that Keras expects."""
    import h5py

    with h5py.File(path) as file:
        is_legacy = "layer_names" in file.attrs
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / ("backbone.h5" if is_legacy else "backbone.weights.h5")
        link.symlink_to(path.absolute())
        yield link
