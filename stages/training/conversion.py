"""Converts an exported model to int8 with TensorFlow's converter."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def to_int8(
    exported: Path, batches: Callable[[], Iterable[Any]], input_type: str, output_type: str
) -> bytes:
    """Return the int8 `.tflite` of a SavedModel with a batch of 1.

    batches: yields examples in the model's form, from which the ranges of its tensors are calibrated

    Fully connected layers are quantised per tensor: compilers of accelerators may not read per-channel
    ones (docs/edge-tpu.md). Integer inputs and outputs keep their type, whatever is requested.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(exported))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = batches
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = _end_type(input_type)
    converter.inference_output_type = _end_type(output_type)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def _end_type(name: str) -> Any:
    """Return TensorFlow's type of this name.

    The converter does not accept int32; whatever it is given, it keeps int32 inputs and outputs as they are.
    """
    import tensorflow as tf

    return getattr(tf, "int8" if name == "int32" else name)
