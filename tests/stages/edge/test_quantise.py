"""From a Keras model to TFLite: int8 throughout, calibrated on training data, the same bytes each time."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge._runtime import open_model
from stages.edge._tflite import read_model
from stages.edge.quantise import _in_child


def _quantise(do, model: Path, dataset: Path, **params):
    return do("stages.edge.quantise", {"model": model, "dataset": dataset}, **params)


def _with(dataset: Path, to: Path, **arrays: np.ndarray | None) -> Path:
    """A copy of the data set with these arrays, or without them."""
    shutil.copytree(dataset, to)
    for name, array in arrays.items():
        (to / f"{name}.npy").unlink()
        if array is not None:
            np.save(to / f"{name}.npy", array)
    return to


def test_the_int8_model_has_no_float_tensor(quantised):
    tensors = read_model(quantised.out / "int8_model").subgraphs[0].tensors
    assert {tensor.type for tensor in tensors} <= {"INT8", "INT32"}
    assert quantised.metrics["float_tensors"] == 0


@pytest.mark.parametrize("name", ["int8_model", "float_model"])
def test_every_tensor_has_a_fixed_size(quantised, name):
    assert [
        tensor.name
        for tensor in read_model(quantised.out / name).subgraphs[0].tensors
        if tensor.is_dynamic
    ] == []


@pytest.mark.parametrize(("name", "kind"), [("int8_model", "int8"), ("float_model", "float32")])
def test_a_model_takes_one_example_and_gives_one_score_a_class(quantised, name, kind):
    model = open_model(quantised.out / name)
    assert (list(model.input["shape"]), list(model.output["shape"])) == ([1, 8], [1, 3])
    assert {np.dtype(model.input["dtype"]).name, np.dtype(model.output["dtype"]).name} == {kind}


def test_the_metrics_are_the_files_bytes(quantised):
    sizes = {name: (quantised.out / name).stat().st_size for name in ("int8_model", "float_model")}
    assert (quantised.metrics["int8_bytes"], quantised.metrics["float_bytes"]) == (
        sizes["int8_model"],
        sizes["float_model"],
    )


def test_both_models_know_what_the_network_learnt(quantised, blobs):
    truth = np.load(blobs / "y_test.npy")
    for name in ("int8_model", "float_model"):
        scores = open_model(quantised.out / name).scores(np.load(blobs / "x_test.npy"))
        assert (scores.argmax(1) == truth).mean() > 0.95


def test_a_fully_connected_layer_has_one_scale_in_the_file(quantised):
    tensors = (
        read_model(quantised.out / "int8_model").subgraphs[0].tensors
    )  # the interpreter repeats one scale for each channel
    weights = [tensor for tensor in tensors if len(tensor.shape) == 2 and tensor.shape[0] > 1]
    assert [len(tensor.scales) for tensor in weights] == [1, 1]


def test_an_operation_without_an_int8_form_is_refused(do, network, blobs):
    done = _quantise(do, network("elu"), blobs)
    assert done.status == 1
    assert "tensors of the int8 model are float, such as '" in done.error and done.error.endswith(
        "use operations with an int8 form"
    )


def test_a_network_that_ends_the_converter_is_told(do, network, blobs):
    done = _quantise(do, network("rolled"), blobs)
    assert done.status == 1
    assert (
        done.error
        == "the converter was ended by signal 11: some operation of the model has no int8 form (a "
        "rolled LSTM or GRU has none)"
    )
    assert not (done.out / "int8_model").exists()


def test_a_converter_that_is_ended_by_a_signal_is_told():
    with pytest.raises(
        StageError,
        match=r"^the converter was ended by signal 9: some operation of the model has no int8 form",
    ):
        _in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_converter_that_fails_leaves_its_error_in_the_log(do, relu, blobs, tmp_path):
    torn = shutil.copytree(relu, tmp_path / "torn")
    (torn / "weights_003.npy").unlink()
    done = _quantise(do, torn, blobs)
    assert (done.status, done.error) == (
        1,
        "the converter failed; its error stands above in the log (a rolled LSTM or GRU has no int8 form)",
    )
    assert "Traceback" in done.log


def test_the_test_part_is_not_looked_at(do, relu, blobs, quantised, tmp_path):
    done = _quantise(do, relu, _with(blobs, tmp_path / "untested", x_test=None, y_test=None))
    assert (done.out / "int8_model").read_bytes() == (quantised.out / "int8_model").read_bytes()


def test_the_range_of_the_input_is_that_of_the_training_part(do, relu, blobs, tmp_path):
    x = np.load(blobs / "x_train.npy")
    wide = _with(blobs, tmp_path / "wide", x_train=10 * x)
    scale, zero_point = open_model(_quantise(do, relu, wide).out / "int8_model").input[
        "quantization"
    ]
    assert scale == pytest.approx(10 * (x.max() - x.min()) / 255, rel=0.01)
    assert (-128 - zero_point) * scale == pytest.approx(10 * x.min(), abs=scale)


def test_no_more_examples_are_looked_at_than_asked_for(do, relu, blobs, tmp_path):
    x = np.load(blobs / "x_train.npy")
    first = int(np.random.default_rng(3).permutation(len(x))[0])
    one = _with(
        blobs,
        tmp_path / "one",
        x_train=np.where(np.arange(len(x))[:, None] == first, x, 1000).astype(np.float32),
    )
    done = _quantise(do, relu, one, calibration_examples=1, seed=3)
    scale, _ = open_model(done.out / "int8_model").input["quantization"]
    assert scale < 1


@pytest.mark.parametrize("name", ["int8_model", "float_model"])
def test_the_same_inputs_give_the_same_bytes(do, relu, blobs, quantised, name):
    assert (_quantise(do, relu, blobs).out / name).read_bytes() == (
        quantised.out / name
    ).read_bytes()


def test_weights_that_hold_code_are_not_loaded(do, relu, blobs, tmp_path):
    evil = shutil.copytree(relu, tmp_path / "evil")
    np.save(evil / "weights_000.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    done = _quantise(do, evil, blobs)
    assert done.status == 1 and "allow_pickle=False" in done.log


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "grouped",
            "CONV_2D has version 6, and the Edge TPU's compiler 16 reads CONV_2D up to version 5: use "
            "no grouped convolution (version 6)",
        ),
        (
            "transposed",
            "TRANSPOSE_CONV has version 4, and the Edge TPU's compiler 16 reads TRANSPOSE_CONV up to "
            "version 3: let no activation",
        ),
    ],
)
def test_what_the_edge_tpus_compiler_cannot_read_is_refused_for_a_target_that_has_one(
    do, network, blobs, kind, said
):
    model = network(kind)
    refused = _quantise(do, model, blobs, accelerator="edgetpu")
    assert (refused.status, refused.error[: len(said)]) == (1, said)
    assert _quantise(do, model, blobs).status == 0


def test_what_the_compiler_can_read_is_the_same_for_a_target_with_an_edge_tpu(
    do, relu, blobs, quantised
):
    done = _quantise(do, relu, blobs, accelerator="edgetpu")
    assert (done.out / "int8_model").read_bytes() == (quantised.out / "int8_model").read_bytes()
