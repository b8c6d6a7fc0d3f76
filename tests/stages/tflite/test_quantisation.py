"""Quantisation and dequantisation."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite.quantisation import dequantise, quantise
from stages.tflite.tensor import Tensor, only

INT8 = Tensor("x", (1, 3), "int8", 0.1, -5)


def test_values_are_rounded_to_the_nearest_step():
    assert quantise(np.float32([[0, 0.26, -0.26]]), INT8).tolist() == [[-5, -2, -8]]


def test_values_beyond_the_range_are_clipped_and_not_wrapped():
    values = np.float32([[-99, 99, np.inf]])
    assert quantise(values, INT8).tolist() == [[-128, 127, 127]]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32"])
def test_what_comes_back_is_within_half_a_step(kind):
    tensor = Tensor("x", (1, 50), kind, 0.01, 3)
    values = np.random.default_rng(0).uniform(0, 1, (1, 50)).astype(np.float32)
    found = dequantise(quantise(values, tensor), tensor)
    assert found.dtype == np.float32 and np.abs(found - values).max() <= 0.00501


@pytest.mark.parametrize("kind", ["int32", "int64"])
def test_large_integers_without_a_scale_stay_exact(kind):
    numbers = np.array([[2**31 - 1, -(2**31), 16_777_217]], np.int64)
    assert quantise(numbers, Tensor("ids", (1, 3), kind)).tolist() == numbers.tolist()


def test_a_tensor_without_a_scale_takes_the_values_themselves():
    picture = Tensor("picture", (1, 2), "uint8")
    raw = quantise(np.float32([[254.6, 300]]), picture)
    assert (raw.dtype.name, raw.tolist()) == ("uint8", [[255, 255]])
    assert dequantise(raw, picture).tolist() == [[255, 255]]


@pytest.mark.parametrize("kind", ["float32", "float16", "bool"])
def test_other_types_are_cast(kind):
    raw = quantise(np.float32([[0, 1]]), Tensor("x", (1, 2), kind))
    assert (raw.dtype.name, raw.tolist()) == (kind, [[0, 1]])


def test_nan_has_no_number():
    with pytest.raises(StageError, match="the input 'x' contains NaN, which int8 cannot represent"):
        quantise(np.float32([[0, np.nan, 0]]), INT8)


def test_a_model_of_two_outputs_has_not_only_one():
    assert only({"x": INT8}, "input") is INT8
    said = r"exactly one output, but has 2: x: int8 \[1, 3\]; y: uint8 \[1\]"
    with pytest.raises(StageError, match=said):
        only({"x": INT8, "y": Tensor("y", (1,), "uint8")}, "output")
