"""Opens trained models with the library that wrote them; if that fails, explains why in a sentence.

No code in a Keras model's files is executed.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.edge._sources import Source
from stages.training import network as training

SIGNATURE = "serving_default"
_OWN = re.compile(r"(?:Could not locate (?:class|function)|Unknown [\w ]+:?) '([^']+)'")
_WAY_OUT = "save it where it was trained with model.export(FOLDER), and give that folder"


def keras_network(source: Source) -> Any:
    """Return the Keras model; StageError: it is damaged, or needs custom code."""
    try:
        network = _from_parts(source.path) if source.kind == "architecture" else _whole(source)
    except Exception as error:  # Keras passes on any exception of its layers and libraries
        raise StageError(_why(source.path.name, str(error), error)) from error
    if not getattr(network, "inputs", None):
        raise StageError(
            f"{source.path.name} has no inputs yet: give it a keras.Input before it is trained"
        )
    return network


def signature_of(saved_model: Path) -> tuple[Any, Any]:
    """Return a SavedModel and its default signature; StageError: it is damaged or has none."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(saved_model))
    except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
        raise StageError(
            f"{saved_model.name} cannot be opened as a SavedModel: {first_line(error)}"
        ) from error
    if SIGNATURE in loaded.signatures:
        return loaded, loaded.signatures[SIGNATURE]
    raise StageError(
        f"{saved_model.name} lacks the signature {SIGNATURE}; it has "
        f"{', '.join(loaded.signatures) or 'none'}: save it with signatures={{'{SIGNATURE}': "
        "FUNCTION}, or with Keras's model.export(FOLDER)"
    )


def first_line(error: BaseException) -> str:
    """Return the type and the first line of the message, skipping the one before TensorFlow's frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0] == "in user code:" else lines[0]
    return f"{type(error).__name__}: {line[:300]}"


def _from_parts(folder: Path) -> Any:
    import keras
    import numpy as np

    text = (folder / "architecture.json").read_text(encoding="utf-8")
    network = keras.models.model_from_json(text)
    weights = sorted(folder.glob("weights_*.npy"))
    training.set_weights(network, [np.load(path, allow_pickle=False) for path in weights])
    return network


def _whole(source: Source) -> Any:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model.{source.kind}"  # Keras decides by the suffix
        shutil.copyfile(source.path, named)
        return keras.models.load_model(named, compile=False, safe_mode=True)


def _why(name: str, reason: str, error: Exception) -> str:
    if own := _OWN.search(reason):
        return f"{name} needs the code of '{own[1]}', but code in a model is never executed: {_WAY_OUT}"
    if "Lambda" in reason:
        return f"{name} has a Lambda layer, whose code is never executed: {_WAY_OUT}"
    return f"{name} cannot be opened as a Keras model: {first_line(error)}"
