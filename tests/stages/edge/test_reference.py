"""The build machine's outputs for the test part, for comparison."""

import hashlib
import platform
import shutil

import numpy as np
import pytest

from engine import digest
from engine.stage import StageError
from stages.edge.reference import reference
from stages.tflite import outputs, part
from stages.tflite.model import open_model

INT8 = "models/model/int8.tflite"


@pytest.fixture
def referred(quantised, blobs, tmp_path):
    """Run the trained network on its test part."""

    def made(to="outputs", **params):
        models = quantised.out / "models"
        return reference(blobs / "test", models, tmp_path / to, **params), tmp_path / to

    return made


def raw(model, blobs, chosen=None):
    (found,) = outputs.run(model, part.read(blobs / "test"), chosen).values()
    return found


def only(folder):
    (found,) = outputs.read(folder).raw.values()
    return found


def test_the_default_kernels_are_run_on_all_examples(referred, quantised, blobs):
    metrics, folder = referred()
    assert metrics["examples"] == 60
    assert (only(folder / "default") == raw(open_model(quantised.out / INT8), blobs)).all()


def test_the_float_model_is_run_too(referred, quantised, blobs):
    floating = open_model(quantised.out / "models/model/float.tflite")
    assert (only(referred()[1] / "float") == raw(floating, blobs)).all()


def test_a_model_without_a_float_form_is_its_own_reference(quantised, blobs, tmp_path):
    models = shutil.copytree(quantised.out / "models", tmp_path / "models")
    (models / "model/float.tflite").unlink()
    reference(blobs / "test", models, tmp_path / "outputs")
    one, other = (outputs.read(tmp_path / "outputs" / name) for name in ("default", "float"))
    assert one.about == other.about
    assert (
        only(tmp_path / "outputs/float").tobytes() == only(tmp_path / "outputs/default").tobytes()
    )


@pytest.mark.parametrize(("asked", "chosen"), [(1, [0]), (3, [0, 29, 59]), (1000, list(range(60)))])
def test_the_slow_reference_kernels_are_run_on_no_more_examples_than_asked_for(
    referred, quantised, blobs, asked, chosen
):
    metrics, folder = referred(reference_examples=asked)
    assert np.load(folder / "chosen.npy").tolist() == chosen
    assert metrics["reference_examples"] == len(chosen)
    plain = raw(open_model(quantised.out / INT8, kernels="reference"), blobs, np.array(chosen))
    assert only(folder / "reference").tobytes() == plain.tobytes()


def test_it_says_of_what_and_with_what_it_was_made(referred, quantised):
    about = outputs.read(referred()[1] / "default").about
    digest_of_model = hashlib.sha256((quantised.out / INT8).read_bytes()).hexdigest()
    assert about["model_sha256"] == digest_of_model
    assert (about["machine"], about["runtime"].split()[0]) == (platform.machine(), "LiteRT")


def test_the_same_inputs_give_the_same_bytes(referred):
    assert digest.of(referred("one")[1]) == digest.of(referred("two")[1])


def test_the_targets_runtime_is_run(do, quantised, blobs):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime has no build for this Python")
    inputs = {"test": blobs / "test", "models": quantised.out / "models"}
    done = do("stages.edge.reference", inputs, runtime="tflite_runtime")
    about = outputs.read(done.out / "outputs" / "default").about
    assert about["runtime"].startswith("tflite-runtime "), done.log


def test_a_role_that_is_not_there_is_refused_with_those_that_are(referred):
    with pytest.raises(StageError, match="there is no model 'pose': the roles are model"):
        referred(role="pose")


def test_no_reference_example_is_refused(referred):
    with pytest.raises(StageError, match="reference_examples is 0: give 1 or more"):
        referred(reference_examples=0)
