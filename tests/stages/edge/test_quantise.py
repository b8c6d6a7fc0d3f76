"""From a Keras model to TFLite: int8 throughout, calibrated on training data, the same bytes each time."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge._convert import in_child
from stages.tflite import part
from stages.tflite.model import open_model
from stages.tflite.schema import read_model
from stages.tflite.tensor import Tensor, only

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
PUBLISHED = [
    path for path in sorted(MIRROR.glob("models/*.tflite")) if not path.stem.endswith("_edgetpu")
]
INT8, FLOAT = "models/model/int8.tflite", "models/model/float.tflite"


def _input(model: Path) -> Tensor:
    return only(open_model(model).inputs, "input")


def _quantise(do, model: Path, dataset: Path, **params):
    return do("stages.edge.quantise", {"model": model, "train": dataset / "train"}, **params)


def _with(dataset: Path, to: Path, features: np.ndarray) -> Path:
    """A copy of the data set with other training examples."""
    shutil.copytree(dataset, to)
    np.save(to / "train" / "features.npy", features)
    return to


def test_the_int8_model_has_no_float_tensor(quantised):
    tensors = read_model(quantised.out / INT8).subgraphs[0].tensors
    assert {tensor.type for tensor in tensors} <= {"INT8", "INT32"}
    assert quantised.metrics["float_tensors"] == 0


@pytest.mark.parametrize("name", [INT8, FLOAT])
def test_every_tensor_has_a_fixed_size(quantised, name):
    assert [
        tensor.name
        for tensor in read_model(quantised.out / name).subgraphs[0].tensors
        if tensor.is_dynamic
    ] == []


@pytest.mark.parametrize(("name", "kind"), [(INT8, "int8"), (FLOAT, "float32")])
def test_a_model_takes_one_example_and_gives_one_score_a_class(quantised, name, kind):
    model = open_model(quantised.out / name)
    source, result = only(model.inputs, "input"), only(model.outputs, "output")
    assert (source.shape, result.shape) == ((1, 8), (1, 3))
    assert {source.type, result.type} == {kind}


def test_the_metrics_are_the_files_bytes(quantised):
    sizes = {name: (quantised.out / name).stat().st_size for name in (INT8, FLOAT)}
    assert (quantised.metrics["int8_bytes"], quantised.metrics["float_bytes"]) == (
        sizes[INT8],
        sizes[FLOAT],
    )


def test_both_models_know_what_the_network_learnt(quantised, blobs):
    truth, test = np.load(blobs / "test/truth_class.npy"), part.read(blobs / "test")
    for name in (INT8, FLOAT):
        model = open_model(quantised.out / name)
        raw = model.raw_outputs(test.for_inputs(model.inputs))
        (scores,) = model.dequantised(raw).values()
        assert (scores.argmax(1) == truth).mean() > 0.95


def test_a_fully_connected_layer_has_one_scale_in_the_file(quantised):
    tensors = (
        read_model(quantised.out / INT8).subgraphs[0].tensors
    )  # the interpreter repeats one scale for each channel
    weights = [tensor for tensor in tensors if len(tensor.shape) == 2 and tensor.shape[0] > 1]
    assert [len(tensor.scales) for tensor in weights] == [1, 1]


def test_an_operation_without_an_int8_form_is_refused(do, network, blobs):
    done = _quantise(do, network("elu"), blobs)
    assert done.status == 1
    assert "tensors of the int8 model are float, such as '" in done.error and done.error.endswith(
        "use operations with an int8 form"
    )


def test_a_network_that_ends_the_converter_is_reported(do, network, blobs):
    done = _quantise(do, network("rolled"), blobs)
    assert done.status == 1
    assert (
        done.error
        == "the converter was killed by signal 11: some operation of the model has no int8 form (a "
        "rolled LSTM or GRU has none)"
    )
    assert not (done.out / INT8).exists()


def test_a_converter_that_is_ended_by_a_signal_is_reported():
    with pytest.raises(
        StageError,
        match=r"^the converter was killed by signal 9, usually because memory",
    ):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_model_that_lacks_a_file_is_told_and_leaves_its_error_in_the_log(
    do, relu, blobs, tmp_path
):
    torn = shutil.copytree(relu, tmp_path / "torn")
    (torn / "weights_003.npy").unlink()
    done = _quantise(do, torn, blobs)
    said = (
        "torn cannot be opened as a Keras model: ValueError: You called `set_weights(weights)` on"
    )
    assert (done.status, done.error[: len(said)]) == (1, said)
    assert "Traceback" in done.log


def test_what_the_converter_says_is_told_without_tensorflows_frames():
    def fails():
        raise TypeError("in user code:\n\n    File 1\n\n    TypeError: no such thing\n")

    with pytest.raises(StageError, match=r"^the converter failed: TypeError: .*no such thing; the"):
        in_child(fails)


def test_operations_that_tflite_lacks_are_named():
    def fails():
        lacking = "'tf.{}' op is neither a custom op nor a flex op\n"
        raise ValueError("".join(map(lacking.format, ["MatMul", "BiasAdd", "MatMul"])))

    with pytest.raises(StageError, match=r"^TFLite does not support BiasAdd, MatMul, at least"):
        in_child(fails)


def test_the_range_of_the_input_is_that_of_the_training_part(do, relu, blobs, tmp_path):
    x = np.load(blobs / "train/features.npy")
    wide = _with(blobs, tmp_path / "wide", 10 * x)
    tensor = _input(_quantise(do, relu, wide).out / INT8)
    scale = tensor.scale
    assert scale == pytest.approx(10 * (x.max() - x.min()) / 255, rel=0.01)
    assert (-128 - tensor.zero_point) * scale == pytest.approx(10 * x.min(), abs=scale)


def test_no_more_examples_are_looked_at_than_asked_for(do, relu, blobs, tmp_path):
    x = np.load(blobs / "train/features.npy")
    first = int(np.random.default_rng(3).permutation(len(x))[0])
    one = _with(
        blobs,
        tmp_path / "one",
        np.where(np.arange(len(x))[:, None] == first, x, 1000).astype(np.float32),
    )
    done = _quantise(do, relu, one, calibration_examples=1, seed=3)
    assert _input(done.out / INT8).scale < 1


@pytest.mark.parametrize("name", [INT8, FLOAT])
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
            "CONV_2D has version 6, but the Edge TPU's compiler 16 reads CONV_2D up to version 5: use "
            "no grouped convolution (version 6)",
        ),
        (
            "transposed",
            "TRANSPOSE_CONV has version 4, but the Edge TPU's compiler 16 reads TRANSPOSE_CONV up to "
            "version 3: remove the activation",
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
    assert (done.out / INT8).read_bytes() == (quantised.out / INT8).read_bytes()


@pytest.mark.parametrize("form", ["keras", "h5", "saved_model"])
def test_every_form_of_a_keras_model_becomes_the_same_tflite_model(
    do, network, blobs, quantised, form
):
    done = _quantise(do, network("relu", form=form), blobs)
    assert done.status == 0, done.log
    made, expected = (open_model(out / INT8) for out in (done.out, quantised.out))
    test = part.read(blobs / "test")
    (raw,), (wanted,) = (
        model.raw_outputs(test.for_inputs(model.inputs)).values() for model in (made, expected)
    )
    assert (raw == wanted).all()
    assert read_model(done.out / FLOAT).subgraphs[0].tensors[0].is_dynamic is False


@pytest.fixture(scope="module")
def halves(blobs, tmp_path_factory):
    """The points split into two tensors, for a network with two inputs."""
    folder = tmp_path_factory.mktemp("halves")
    x = np.load(blobs / "train/features.npy")
    part.write(folder / "train", {"right": x[:, 4:], "left": 10 * x[:, :4]})
    return folder


def test_inputs_and_outputs_keep_their_names_and_are_calibrated_by_them(do, network, blobs, halves):
    done = _quantise(do, network("two"), halves)
    assert done.status == 0, done.log
    int8, floating = open_model(done.out / INT8), open_model(done.out / FLOAT)
    assert set(int8.inputs) == set(floating.inputs) == {"left", "right"}
    assert set(int8.outputs) == set(floating.outputs) == {"scores", "box"}
    x = np.load(blobs / "train/features.npy")
    wide, narrow = (int8.inputs[name].scale for name in ("left", "right"))
    assert wide == pytest.approx(10 * np.ptp(x[:, :4]) / 255, rel=0.01)
    assert narrow == pytest.approx(np.ptp(x[:, 4:]) / 255, rel=0.01)


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_inputs_and_outputs_have_the_types_that_are_asked_for(do, relu, blobs, kind):
    done = _quantise(do, relu, blobs, input_type=kind, output_type=kind)
    model = open_model(done.out / INT8)
    assert {tensor.type for tensor in (*model.inputs.values(), *model.outputs.values())} == {kind}
    assert done.metrics["float_tensors"] == 0


def test_integer_inputs_stay_what_they_are(do, network, tmp_path):
    part.write(tmp_path / "train", {"ids": np.arange(40, dtype=np.int32).reshape(10, 4) % 9})
    done = _quantise(do, network("ids"), tmp_path, input_type="int32")
    assert done.status == 0, done.error + done.log
    assert only(open_model(done.out / INT8).inputs, "input").type == "int32"


def test_what_tflite_has_no_form_for_is_refused(do, relu, blobs):
    done = _quantise(do, relu, blobs, output_type="int32")
    said = "TFLite cannot make the float output 'output_0' int32: set output_type"
    assert (done.status, done.error[: len(said)]) == (1, said)


@pytest.mark.parametrize(
    ("value", "named"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_a_training_example_that_is_not_finite_is_named(do, relu, blobs, tmp_path, value, named):
    x = np.load(blobs / "train/features.npy")
    x[7, 2] = value
    done = _quantise(do, relu, _with(blobs, tmp_path / "odd", x))
    assert done.status == 1
    assert " of training example 7 contains " + named in done.error


def test_a_training_part_without_examples_is_named(do, relu, tmp_path):
    part.write(tmp_path / "train", {"features": np.zeros((0, 8), np.float32)})
    done = _quantise(do, relu, tmp_path)
    assert (done.status, done.error) == (1, "train has no examples")


def test_a_model_that_needs_calibration_needs_a_training_part(do, relu):
    done = do("stages.edge.quantise", {"model": relu})
    assert done.status == 1 and "connect the input `train`" in done.error


def test_a_size_that_is_open_is_named(do, network, blobs):
    done = _quantise(do, network("open"), blobs)
    assert done.status == 1
    assert done.error.endswith("is [1, -1, 8]: give the network fixed shapes")


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_a_model_that_holds_code_is_not_run(do, network, blobs, form):
    done = _quantise(do, network("lambda", form=form), blobs)
    assert done.status == 1 and "Requested the deserialization of a `Lambda` layer" in done.log
    assert "has a Lambda layer, whose code is never executed: save it" in done.error


def test_a_ready_int8_model_goes_on_unchanged_and_needs_no_examples(do, quantised, tmp_path):
    ready = shutil.copyfile(quantised.out / INT8, tmp_path / "ready.tflite")
    done = do("stages.edge.quantise", {"model": ready}, role="classifier")
    assert (done.out / "models/classifier/int8.tflite").read_bytes() == ready.read_bytes()
    assert done.metrics == {
        "models": 1,
        "float_tensors": 0,
        "int8_bytes": ready.stat().st_size,
    }


def test_a_ready_float_model_stays_float_and_the_run_is_told(do, quantised, tmp_path):
    ready = shutil.copyfile(quantised.out / FLOAT, tmp_path / "ready.tflite")
    done = do("stages.edge.quantise", {"model": ready})
    assert [path.name for path in (done.out / "models/model").iterdir()] == ["float.tflite"]
    assert next(event["text"] for event in done.said if event["event"] == "note").startswith(
        "ready.tflite is a float model in TFLite's format, which cannot be quantised"
    )


def test_a_compiled_model_alone_is_refused(do, quantised, tmp_path):
    compiled = tmp_path / "m.tflite"
    compiled.write_bytes((quantised.out / INT8).read_bytes() + b"edgetpu-custom-op")
    done = do("stages.edge.quantise", {"model": compiled})
    assert done.status == 1 and done.error.startswith("m.tflite is compiled for the Edge TPU: give")


def test_models_that_another_stage_has_converted_are_passed_on(do, quantised, tmp_path):
    model = shutil.copyfile(quantised.out / INT8, tmp_path / "embedder.tflite")
    ready = shutil.copytree(quantised.out / "models/model", tmp_path / "ready/detector").parent
    done = do("stages.edge.quantise", {"model": model, "ready": ready}, role="embedder")
    assert done.metrics["models"] == 2
    for form in ("int8", "float"):
        passed = done.out / f"models/detector/{form}.tflite"
        assert passed.read_bytes() == (ready / f"detector/{form}.tflite").read_bytes()


def test_a_role_that_is_already_converted_cannot_be_made_again(do, quantised, tmp_path):
    model = shutil.copyfile(quantised.out / INT8, tmp_path / "detector.tflite")
    ready = shutil.copytree(quantised.out / "models/model", tmp_path / "ready/detector").parent
    done = do("stages.edge.quantise", {"model": model, "ready": ready}, role="detector")
    assert done.status == 1 and done.error.startswith("two models have the role 'detector', one")


def test_a_folder_of_models_has_a_role_for_each(do, relu, blobs, quantised, tmp_path):
    models = tmp_path / "trained"
    shutil.copytree(relu, models / "classifier")
    (models / "pose").mkdir()
    for form in ("int8", "edgetpu"):
        shutil.copyfile(quantised.out / INT8, models / "pose" / f"{form}.tflite")
    shutil.copyfile(quantised.out / INT8, models / "detector.tflite")
    (models / "README.txt").write_text("what these are")
    done = _quantise(do, models, blobs)
    assert done.status == 0, done.log
    made = done.out / "models"
    assert sorted(path.relative_to(made).as_posix() for path in made.rglob("*.tflite")) == [
        "classifier/float.tflite",
        "classifier/int8.tflite",
        "detector/int8.tflite",
        "pose/edgetpu.tflite",
        "pose/int8.tflite",
    ]
    assert (made / "classifier/int8.tflite").read_bytes() == (quantised.out / INT8).read_bytes()
    assert done.metrics["models"] == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "notes.txt",
            b"no model",
            "notes.txt is not a model that can be quantised: use architecture.json",
        ),
        ("net.onnx", b"\x08\x07", "ONNX cannot be converted here; save the model as a SavedModel"),
        ("torn.keras", b"PK\x03\x04torn", "torn.keras is not a model that can be quantised"),
    ],
)
def test_what_is_no_model_is_refused_with_what_would_be(do, blobs, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    done = _quantise(do, tmp_path / name, blobs)
    assert done.status == 1 and said in done.error


def test_a_folder_with_a_compiled_model_alone_is_refused(do, quantised, tmp_path):
    (tmp_path / "pose").mkdir()
    shutil.copyfile(quantised.out / INT8, tmp_path / "pose/edgetpu.tflite")
    done = do("stages.edge.quantise", {"model": tmp_path / "pose"})
    assert (done.status, done.error) == (
        1,
        "pose contains no model: it needs int8.tflite or float.tflite",
    )


def test_weights_without_their_network_are_named(do, blobs, tmp_path):
    h5py = pytest.importorskip("h5py", reason="the extra 'train' is not installed")
    with h5py.File(tmp_path / "net.weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    done = _quantise(do, tmp_path / "net.weights.h5", blobs)
    assert done.status == 1
    assert done.error.startswith(
        "net.weights.h5 contains weights without their network: save the whole"
    )


def test_a_damaged_hdf5_file_is_named(do, blobs, tmp_path):
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    done = _quantise(do, tmp_path / "net.h5", blobs)
    assert done.status == 1 and done.error.startswith("net.h5 is a damaged HDF5 file: ")


def test_two_models_of_one_role_are_refused(do, quantised, tmp_path):
    (tmp_path / "models" / "pose").mkdir(parents=True)
    for place in ("pose.tflite", "pose/int8.tflite"):
        shutil.copyfile(quantised.out / INT8, tmp_path / "models" / place)
    done = do("stages.edge.quantise", {"model": tmp_path / "models"})
    assert (done.status, done.error) == (1, "pose.tflite and pose have the same role: keep one")


@pytest.mark.mirror
@pytest.mark.skipif(not PUBLISHED, reason="RPI_MLOPS_MIRROR names no folder with models")
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_model_goes_on_unchanged_and_is_known_for_what_it_is(do, path):
    done = do("stages.edge.quantise", {"model": path})
    form = "float" if path.stem.endswith("_float") else "int8"
    assert done.status == 0, done.error
    assert (done.out / f"models/model/{form}.tflite").read_bytes() == path.read_bytes()
