"""The runtime that stages share: numbers into int8 and back."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge._runtime import Model, quantisation


@pytest.fixture
def model(mirror):
    """The int8 network that returns what it is given, for values from 0 to 1."""
    return Model(mirror["int8_model"], "litert")


def test_values_beyond_the_range_are_clipped_and_not_wrapped(model):
    assert model.quantised(np.array([[-9.0, 0.5, 9.0]], np.float32)).tolist()[0][::2] == [-128, 127]


def test_a_value_comes_back_within_a_quantum(model):
    x = np.random.default_rng(1).uniform(0, 1, (50, 3)).astype(np.float32)
    assert np.abs(model.scores(x) - x).max() <= 2 * quantisation(model.output)["scale"]


def test_a_float_model_takes_values_as_they_are(mirror):
    x = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert Model(mirror["float_model"], "litert").scores(x) == pytest.approx(x)


def test_what_a_caller_must_know_of_a_tensor_is_plain_data(model):
    found = quantisation(model.input)
    assert (found["shape"], found["type"], found["zero_point"]) == ([1, 3], "int8", -128)
    assert found["scale"] == pytest.approx(1 / 255, rel=0.05)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 4096], ids=["empty", "short", "zeros"])
def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, data):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(StageError, match="cannot open the model: "):
        Model(tmp_path / "model", "litert")
