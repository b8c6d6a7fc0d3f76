"""Turns a trained model into TFLite with TensorFlow's converter, with a batch of 1.

Each function runs in a process of its own (`in_child`), since some models end the converter with
signal 11.
"""

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.edge._calibration import Calibration
from stages.edge._sources import Source


def to_float(source: Source, exported: Path, to: Path) -> None:
    """Write the model as a SavedModel with a batch of 1, and from it the float `.tflite`."""
    import tensorflow as tf

    if source.kind == "saved_model":
        _fix_batch(source.path, exported)
    else:
        _export(_load(source), exported)
    to.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(exported)).convert())


def to_int8(
    exported: Path, calibration: Calibration, input_type: str, output_type: str, to: Path
) -> None:
    """Write the int8 `.tflite` of an exported model.

    Fully connected layers are quantised per tensor: the Edge TPU's compiler 16 reads no per-channel
    ones (google-coral/edgetpu#879). Integer inputs and outputs keep their type, whichever is asked.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(exported))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration.batches
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = _end_type(input_type)
    converter.inference_output_type = _end_type(output_type)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    to.write_bytes(converter.convert())


def in_child(function: Callable[..., None], *arguments: Any) -> None:
    """Run the function in a forked process, and tell its end by signal from its failure."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        raise StageError(
            f"the converter was ended by signal {-status}: some operation of the model has no int8 "
            "form (a rolled LSTM or GRU has none)"
        )
    if status:
        raise StageError(
            "the converter failed; its error stands above in the log (a rolled LSTM or GRU has no int8 form)"
        )


def _end_type(name: str) -> Any:
    """Return the converter's type; it takes no int32, which only ends that are int32 anyhow have."""
    import tensorflow as tf

    return getattr(tf, "int8" if name == "int32" else name)


def _load(source: Source) -> Any:
    """Return the Keras model; nothing in its files is run as code."""
    import keras
    import numpy as np

    if source.kind == "architecture":
        text = (source.path / "architecture.json").read_text(encoding="utf-8")
        network = keras.models.model_from_json(text)
        weights = sorted(source.path.glob("weights_*.npy"))
        network.set_weights([np.load(path, allow_pickle=False) for path in weights])
        return network
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model.{source.kind}"  # Keras goes by the suffix
        shutil.copyfile(source.path, named)
        return keras.models.load_model(named, compile=False, safe_mode=True)


def _export(network: Any, to: Path) -> None:
    """Export a Keras model with any number of inputs.

    Without a signature Keras exports any batch size, and the TFLite tensors have no fixed size then.
    """
    import keras
    import tensorflow as tf

    inputs = [
        keras.Input(tensor.shape[1:], batch_size=1, dtype=tensor.dtype, name=tensor.name)
        for tensor in network.inputs
    ]
    outputs = network(keras.tree.pack_sequence_as(network.input, inputs), training=False)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in inputs]
    is_one = len(inputs) == 1
    fixed = keras.Model(inputs[0] if is_one else inputs, outputs)
    fixed.export(str(to), verbose=False, input_signature=specs if is_one else [specs])


def _fix_batch(saved_model: Path, to: Path) -> None:
    """Save a SavedModel's default signature again with a batch of 1."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    default = loaded.signatures["serving_default"]
    specs = {
        name: tf.TensorSpec(
            [1, *spec.shape[1:]] if spec.shape.rank else spec.shape, spec.dtype, name
        )
        for name, spec in default.structured_input_signature[1].items()
    }
    module = tf.Module()
    module.loaded = loaded  # keeps its variables
    fixed = tf.function(lambda **inputs: default(**inputs)).get_concrete_function(**specs)
    tf.saved_model.save(module, str(to), signatures=fixed)
