"""What the build machine makes of the test part, as bytes to compare with."""

import hashlib
import json
import platform

import numpy as np
import pytest

from engine import digest
from engine.stage import StageError
from stages.edge._reference import Reference
from stages.edge._runtime import open_model
from stages.edge.reference import reference


@pytest.fixture
def referred(quantised, blobs, tmp_path):
    """Run the trained network on its test part."""

    def made(to="outputs", **params):
        return reference(
            blobs, quantised.out / "int8_model", tmp_path / to, **params
        ), tmp_path / to

    return made


def test_the_default_kernels_are_run_on_all_examples(referred, quantised, blobs):
    metrics, folder = referred()
    outputs = open_model(quantised.out / "int8_model").outputs(np.load(blobs / "x_test.npy"))
    assert metrics["examples"] == 60
    assert (np.load(folder / "default.npy") == outputs).all()


@pytest.mark.parametrize(("asked", "chosen"), [(1, [0]), (3, [0, 29, 59]), (1000, list(range(60)))])
def test_the_slow_reference_kernels_are_run_on_no_more_examples_than_asked_for(
    referred, quantised, blobs, asked, chosen
):
    metrics, folder = referred(reference_examples=asked)
    assert (np.load(folder / "chosen.npy").tolist(), metrics["reference_examples"]) == (
        chosen,
        len(chosen),
    )
    outputs = open_model(quantised.out / "int8_model", kernels="reference").outputs(
        np.load(blobs / "x_test.npy")[chosen]
    )
    assert np.load(folder / "reference.npy").tobytes() == outputs.tobytes()


def test_it_says_of_what_and_with_what_it_was_made(referred, quantised):
    about = json.loads((referred()[1] / "reference.json").read_text())
    assert (
        about["model_sha256"]
        == hashlib.sha256((quantised.out / "int8_model").read_bytes()).hexdigest()
    )
    assert (about["machine"], about["runtime"].split()[0]) == (platform.machine(), "LiteRT")


def test_the_same_inputs_give_the_same_bytes(referred):
    assert digest.of(referred("one")[1]) == digest.of(referred("two")[1])


def test_the_targets_runtime_is_run(do, quantised, blobs):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime has no build for this Python")
    inputs = {"dataset": blobs, "int8_model": quantised.out / "int8_model"}
    done = do(
        "stages.edge.reference", inputs, runtime="tflite_runtime"
    )  # a process of its own: it fails where TensorFlow was imported
    assert json.loads((done.out / "outputs" / "reference.json").read_text())["runtime"].startswith(
        "tflite-runtime "
    ), done.log


@pytest.mark.parametrize(
    ("examples", "asked"), [(0, 16), (60, 0)], ids=["empty test part", "none asked for"]
)
def test_nothing_to_run_is_refused(quantised, tmp_path, examples, asked):
    np.save(tmp_path / "x_test.npy", np.zeros((examples, 8), np.float32))
    with pytest.raises(StageError, match="there is nothing to run"):
        reference(
            tmp_path, quantised.out / "int8_model", tmp_path / "outputs", reference_examples=asked
        )


@pytest.mark.parametrize(
    ("kind", "there", "here", "farthest"),
    [
        (np.int8, [[-128, 0], [5, 5]], [[127, 0], [5, 5]], 255),
        (np.float32, [[0.25, 1.5], [1, 1]], [[0.5, 1.5], [1, 1]], 0.25),
    ],
    ids=["int8", "float"],
)
def test_a_difference_neither_wraps_nor_is_cut(kind, there, here, farthest):
    there, here = np.array(there, kind), np.array(here, kind)
    found = Reference(there, there, np.array([0, 1]), "", "").against(here, there)
    assert (found.outputs_differ, found.max_step_difference, found.reference_bit_equal) == (
        1,
        farthest,
        True,
    )
