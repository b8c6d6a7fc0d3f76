"""The stage that turns a Keras model into TFLite: a float one, and one that is int8 from input to
output.
"""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError

if TYPE_CHECKING:
    from pathlib import Path


class QuantiseMetrics(TypedDict):
    """Bytes of both models, and tensors of the int8 one that are float: none, or the stage fails."""

    int8_bytes: float
    float_bytes: float
    float_tensors: float


def quantise(
    model: In,
    dataset: In,
    int8_model: Out,
    float_model: Out,
    *,
    calibration_examples: int = 500,
    seed: int = 0,
    accelerator: str = "none",
) -> QuantiseMetrics:
    """Convert with batch 1 and fixed shapes, calibrated on real training examples.

    model:       architecture.json and weights_*.npy of a Keras model, float32 (1, ...) -> (1,
    classes) dataset:     x_train.npy float32 (examples, ...) int8_model, float_model: .tflite
    flatbuffers

    Fully connected layers are quantised per tensor: the Edge TPU's compiler 16 reads no per-channel
    ones (google-coral/edgetpu#879). The conversion runs in a process of its own, since some models
    end it with signal 11. StageError: the converter failed or left float tensors (ELU, LayerNorm
    and the like stay float without a word); for an Edge TPU also what its compiler 16 cannot read:
    newer operators, other batches than 1, sizes that are not fixed.
    """
    import numpy as np

    from stages.edge import _readable
    from stages.edge._tflite import read_model

    examples = np.load(dataset / "x_train.npy", mmap_mode="r")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(examples))[:calibration_examples])
    calibration = np.asarray(examples[chosen], np.float32)
    _in_child(_convert, model, calibration, int8_model, float_model)
    converted = read_model(int8_model)
    floats = [
        tensor.name
        for graph in converted.subgraphs
        for tensor in graph.tensors
        if tensor.type.startswith("FLOAT")
    ]
    if floats:
        raise StageError(
            f"{len(floats)} tensors of the int8 model are float, such as '{floats[0]}': use operations "
            "with an int8 form"
        )
    obstacles = _readable.obstacles(converted) if accelerator == "edgetpu" else []
    if obstacles:
        raise StageError("; ".join(obstacles))
    return QuantiseMetrics(
        int8_bytes=float(int8_model.stat().st_size),
        float_bytes=float(float_model.stat().st_size),
        float_tensors=0.0,
    )


def _convert(model: "Path", calibration: Any, int8_model: "Path", float_model: "Path") -> None:
    import tempfile

    import tensorflow as tf

    with tempfile.TemporaryDirectory() as exported:
        network = _load(model)
        # Without a signature Keras exports any batch size, and the TFLite tensors are of no fixed size then.
        fixed = [tf.TensorSpec(network.input_shape, tf.float32, network.inputs[0].name)]
        network.export(exported, verbose=False, input_signature=fixed)
        float_model.write_bytes(tf.lite.TFLiteConverter.from_saved_model(exported).convert())
        int8_model.write_bytes(
            _int8(tf.lite.TFLiteConverter.from_saved_model(exported), calibration)
        )


def _int8(converter: Any, calibration: Any) -> bytes:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([example[None]] for example in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    converted: bytes = converter.convert()
    return converted


def _load(model: "Path") -> Any:
    """Rebuild the network with a batch of 1 from its architecture and weights; nothing in them is
    code.
    """
    import keras
    import numpy as np

    network = keras.models.model_from_json(
        (model / "architecture.json").read_text(encoding="utf-8")
    )
    network.set_weights(
        [np.load(path, allow_pickle=False) for path in sorted(model.glob("weights_*.npy"))]
    )
    inputs = keras.Input(network.input_shape[1:], batch_size=1)
    return keras.Model(inputs, network(inputs, training=False))


def _in_child(function: Any, *arguments: Any) -> None:
    """Run the function in a forked process, and tell its end by signal from its failure."""
    import os
    import sys
    import traceback

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
