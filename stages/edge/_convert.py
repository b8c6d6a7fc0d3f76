"""Converts a trained model to TFLite with TensorFlow's converter, with a batch of 1.

Each function runs in its own process (`in_child`), because some models crash the converter with
signal 11.
"""

import keyword
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.edge._opening import first_line, keras_network, signature_of
from stages.edge._sources import Source
from stages.tflite.calibration import Calibration
from stages.training import conversion

_MOST_BYTES = 4096  # of the child's error message: less than a pipe's buffer
_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


def to_float(source: Source, exported: Path, to: Path) -> None:
    """Write the model as a SavedModel with a batch of 1, and convert that to the float `.tflite`."""
    import tensorflow as tf

    if source.kind == "saved_model":
        _fix_batch(source.path, exported)
    else:
        _export(keras_network(source), exported)
    to.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(exported)).convert())


def to_int8(
    exported: Path, calibration: Calibration, input_type: str, output_type: str, to: Path
) -> None:
    """Write the int8 `.tflite` of an exported model."""
    to.write_bytes(conversion.to_int8(exported, calibration.batches, input_type, output_type))


def in_child(function: Callable[..., None], *arguments: Any) -> None:
    """Run the function in a forked process; distinguish a crash by a signal from a failure."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException as error:
            traceback.print_exc()
            os.write(writing, _message_of(error).encode()[:_MOST_BYTES])
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as pipe:
        reason = pipe.read().decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == -signal.SIGKILL:
        raise StageError(
            "the converter was killed by signal 9, usually because memory ran "
            "out: free memory, or make the model smaller"
        )
    if status < 0:
        raise StageError(
            f"the converter was killed by signal {-status}: some operation of the model has no int8 "
            "form (a rolled LSTM or GRU has none)"
        )
    if status:
        raise StageError(reason)


def _message_of(error: BaseException) -> str:
    """Return the message of a StageError, or the beginning of the converter's message."""
    if isinstance(error, StageError):
        return str(error)
    if lacking := ", ".join(sorted(set(_LACKING.findall(str(error))))):
        return (
            f"TFLite does not support {lacking}, at least not with these types: use other "
            "operations, and use float32 instead of float16 and text"
        )
    return f"the converter failed: {first_line(error)}; the full error is in the log above"


def _export(network: Any, to: Path) -> None:
    """Export a Keras model with any number of inputs.

    Without a signature, Keras exports a variable batch size, and the TFLite tensors have no fixed size.
    """
    import keras
    import tensorflow as tf

    inputs = [
        keras.Input(
            tensor.shape[1:], batch_size=1, dtype=tensor.dtype, name=python_name(tensor.name)
        )
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

    loaded, default = signature_of(saved_model)
    specs = {
        name: tf.TensorSpec(with_batch(name, spec.shape), spec.dtype, name)
        for name, spec in default.structured_input_signature[1].items()
    }
    module = tf.Module()
    module.loaded = loaded  # keeps its variables
    fixed = tf.function(lambda **inputs: default(**inputs)).get_concrete_function(**specs)
    tf.saved_model.save(module, str(to), signatures=fixed)


def with_batch(name: str, shape: Any) -> "list[int | None]":
    """Return the shape with a batch of 1 if the batch is open; raise StageError if its rank is open too."""
    if shape.rank is None:
        raise StageError(f"the input '{name}' has no fixed rank: give the network fixed shapes")
    sizes = shape.as_list()
    return [1, *sizes[1:]] if sizes[:1] == [None] else sizes


def python_name(name: str) -> str:
    """Return the name in the form that TensorFlow requires: a valid Python parameter name."""
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) else name
