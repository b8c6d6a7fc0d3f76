"""An open model: any number of named tensors, kernels, and running without an Edge TPU."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite.interpreters import ANY
from stages.tflite.model import open_model
from tests.tflite_models import G, Op, T, write

ROOT = Path(__file__).resolve().parents[3]
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", ROOT.parent / "shared/mirror"))
DETECTOR = MIRROR / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
# in a separate process: tflite-runtime fails if TensorFlow was imported
RUN = """
import hashlib, sys
from pathlib import Path
import numpy as np
from stages.tflite.model import open_model
model = open_model(Path(sys.argv[2]), sys.argv[1], kernels="reference")
print(model.runtime)
(name,), x = model.inputs, np.random.default_rng(2).uniform(0, 1, (50, 3)).astype(np.float32)
(raw,) = model.raw_outputs({name: x}).values()
print(hashlib.sha256(raw.tobytes()).hexdigest())
"""


@pytest.fixture
def model(mirror):
    """The int8 identity network, for values from 0 to 1."""
    return open_model(mirror["int8_model"])


@pytest.fixture
def two(tmp_path):
    """A model with two inputs and two outputs: `total` is a + b, `clipped` is max(b, 0)."""
    tensors = [
        T((1, 2), "FLOAT32", name="serving_default_a:0"),
        T((1, 2), "FLOAT32", name="serving_default_b:0"),
        T((1, 2), "FLOAT32", name="total"),
        T((1, 2), "FLOAT32", name="clipped"),
    ]
    ops = [
        Op("ADD", (0, 1), (2,), options=("AddOptions", {})),
        Op("RELU", (1,), (3,)),
    ]
    return write(tmp_path / "two.tflite", G(tensors, ops, (0, 1), (2, 3)))


def only_input(model):
    (name,) = model.inputs
    return name


def test_a_value_comes_back_within_a_quantum(model):
    x = np.random.default_rng(1).uniform(0, 1, (1, 3)).astype(np.float32)
    (found,), (output,) = model.predict({only_input(model): x}).values(), model.outputs.values()
    assert np.abs(found - x).max() <= 2 * output.scale


def test_a_float_model_takes_values_as_they_are(mirror):
    x, floating = np.array([[0.1, 0.2, 0.3]], np.float32), open_model(mirror["float_model"])
    (found,) = floating.predict({only_input(floating): x}).values()
    assert found == pytest.approx(x)


def test_what_a_caller_must_know_of_a_tensor_is_plain_data(model):
    found = model.inputs[only_input(model)].as_json()
    assert (found["shape"], found["type"], found["zero_point"]) == ([1, 3], "int8", -128)
    assert found["scale"] == pytest.approx(1 / 255, rel=0.05)


def test_several_inputs_and_outputs_go_by_their_names(two):
    model = open_model(two)
    assert (list(model.inputs), list(model.outputs)) == (["a", "b"], ["total", "clipped"])
    found = model.run({"b": np.float32([[-1, 2]]), "a": np.float32([[10, 20]])})
    assert {name: raw.tolist() for name, raw in found.items()} == {
        "total": [[9, 22]],
        "clipped": [[0, 2]],
    }


def test_the_outputs_of_many_examples_are_those_of_each(two):
    model, values = open_model(two), np.arange(6, dtype=np.float32).reshape(3, 2)
    found = model.raw_outputs({"a": values, "b": -values})
    assert found["total"].tolist() == np.zeros((3, 2)).tolist()
    assert found["clipped"].shape == (3, 2)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a": np.zeros((1, 2), np.float32)}, "needs the inputs a, b, not a"),
        (
            {"a": np.zeros((1, 2), np.float32), "b": np.zeros((1, 3), np.float32)},
            r"needs b: float32 \[1, 2\], not float32 \[1, 3\]",
        ),
        (
            {"a": np.zeros((1, 2), np.int8), "b": np.zeros((1, 2), np.float32)},
            r"needs a: float32 \[1, 2\], not int8 \[1, 2\]",
        ),
    ],
    ids=["missing", "shape", "type"],
)
def test_tensors_that_are_not_the_models_are_refused(two, tensors, said):
    with pytest.raises(StageError, match=said):
        open_model(two).run(tensors)


def test_what_a_model_cannot_be_run_on_is_reported(tmp_path):
    """GATHER with an index outside the table, which is only detected at run time."""
    tensors = [
        T((3, 2), "FLOAT32", name="table", data=np.zeros((3, 2), np.float32).tobytes()),
        T((1,), "INT32", name="at"),
        T((1, 2), "FLOAT32", name="row"),
    ]
    path = write(tmp_path / "m.tflite", G(tensors, [Op("GATHER", (0, 1), (2,))], (1,), (2,)))
    with pytest.raises(StageError, match=r"^LiteRT .* cannot run the model: .*gather"):
        open_model(path).run({"at": np.int32([7])})


def test_an_output_whose_size_changes_is_named(tmp_path):
    """RANGE, whose output size depends on its input."""
    number = np.int32(0).tobytes(), np.int32(1).tobytes()
    tensors = [
        T((1,), "INT32", name="n", scales=()),
        T((), "INT32", name="start", data=number[0]),
        T((), "INT32", name="step", data=number[1]),
        T((), "INT32", name="end"),
        T((1,), "INT32", name="y", signature=(-1,)),
    ]
    squeeze = Op("SQUEEZE", (0,), (3,), options=("SqueezeOptions", {"squeezeDims": [0]}))
    ops = [squeeze, Op("RANGE", (1, 3, 2), (4,), options=("RangeOptions", {}))]
    model = open_model(write(tmp_path / "m.tflite", G(tensors, ops, (0,), (4,))))
    with pytest.raises(
        StageError, match=r"'y' has a different size for each example, such as \[2\] and"
    ):
        model.raw_outputs({"n": np.int32([[2], [3]]).reshape(2)})


def test_any_runtime_is_the_one_that_is_installed(mirror):
    assert open_model(mirror["int8_model"], ANY).runtime.startswith("LiteRT ")


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 4096], ids=["empty", "short", "zeros"])
def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, data):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(StageError, match="cannot open the model model: "):
        open_model(tmp_path / "model")


def test_the_reference_kernels_of_both_runtimes_agree_to_the_bit(mirror):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime has no build for this Python")
    said = [
        subprocess.run(
            [sys.executable, "-c", RUN, runtime, mirror["int8_model"]],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        for runtime in ("litert", "tflite_runtime")
    ]
    (litert, outputs), (older, others) = (text.splitlines()[-2:] for text in said)
    assert litert.startswith("LiteRT ") and older.startswith("tflite-runtime ")
    assert outputs == others


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("runtime", "onnx", "there is no runtime 'onnx': choose litert or tflite_runtime"),
        ("kernels", "fast", "there are no kernels 'fast': choose default or reference"),
    ],
    ids=["runtime", "kernels"],
)
def test_what_is_not_to_be_had_is_refused_with_what_there_is(mirror, key, value, said):
    with pytest.raises(StageError, match=said):
        open_model(mirror["int8_model"], **{key: value})


def test_a_time_is_of_the_inference_alone(model):
    tensors = model.quantised({only_input(model): np.zeros((1, 3), np.float32)})
    assert 0 < model.time_ms(tensors) < 1000


@pytest.mark.mirror
@pytest.mark.skipif(not DETECTOR.is_file(), reason="RPI_MLOPS_MIRROR names no folder with models")
def test_a_published_detector_gives_its_four_outputs_by_name():
    model = open_model(DETECTOR)
    found = model.run({name: np.zeros(t.shape, t.type) for name, t in model.inputs.items()})
    assert {name: raw.shape for name, raw in found.items()} == {
        "TFLite_Detection_PostProcess": (1, 10, 4),
        "TFLite_Detection_PostProcess:1": (1, 10),
        "TFLite_Detection_PostProcess:2": (1, 10),
        "TFLite_Detection_PostProcess:3": (1,),
    }
