"""The runtime that stages share: numbers into int8 and back, kernels, and what runs where there is no Edge
TPU.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge._runtime import open_model, open_on, quantisation

ROOT = Path(__file__).resolve().parents[3]
# in a process of its own: tflite-runtime fails where TensorFlow was imported
RUN = """
import hashlib, sys
from pathlib import Path
import numpy as np
from stages.edge._runtime import open_model
model = open_model(Path(sys.argv[2]), sys.argv[1], kernels="reference")
print(model.runtime)
print(hashlib.sha256(model.outputs(np.random.default_rng(2).uniform(0, 1, (50, 3)).astype(np.float32)).tobytes()).hexdigest())
"""


@pytest.fixture
def model(mirror):
    """The int8 network that returns what it is given, for values from 0 to 1."""
    return open_model(mirror["int8_model"])


def test_values_beyond_the_range_are_clipped_and_not_wrapped(model):
    assert model.quantised(np.array([[-9.0, 0.5, 9.0]], np.float32)).tolist()[0][::2] == [-128, 127]


def test_a_value_comes_back_within_a_quantum(model):
    x = np.random.default_rng(1).uniform(0, 1, (50, 3)).astype(np.float32)
    assert np.abs(model.scores(x) - x).max() <= 2 * quantisation(model.output)["scale"]


def test_a_float_model_takes_values_as_they_are(mirror):
    x = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert open_model(mirror["float_model"]).scores(x) == pytest.approx(x)


def test_what_a_caller_must_know_of_a_tensor_is_plain_data(model):
    found = quantisation(model.input)
    assert (found["shape"], found["type"], found["zero_point"]) == ([1, 3], "int8", -128)
    assert found["scale"] == pytest.approx(1 / 255, rel=0.05)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 4096], ids=["empty", "short", "zeros"])
def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, data):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(StageError, match="cannot open the model: "):
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
        ("runtime", "onnx", "there is no runtime 'onnx': litert or tflite_runtime"),
        ("kernels", "fast", "there are no kernels 'fast': default or reference"),
    ],
    ids=["runtime", "kernels"],
)
def test_what_is_not_to_be_had_is_refused_with_what_there_is(mirror, key, value, said):
    with pytest.raises(StageError, match=said):
        open_model(mirror["int8_model"], **{key: value})


def test_a_time_is_of_the_inference_alone(model):
    assert 0 < model.time_ms(model.quantised(np.zeros((1, 3), np.float32))) < 1000


def test_a_model_for_no_accelerator_runs_on_the_cpu(mirror):
    assert open_on("none", mirror["int8_model"], None, "litert").accelerator == "cpu"
