"""Quantisation and dequantisation."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite.quantisation import dequantise, quantise
from stages.tflite.scaled import Scaled
from stages.tflite.scaled import values as scaled
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


TENSORS = [
    Tensor("x", (1, 7, 256, 3), kind, scale, zero_point)
    for kind in ("int8", "uint8")
    for scale, zero_point in ((1.0, -128), (1 / 127.5, -1), (0.0078125, 3), (2.4, 7), (0.0, 0))
]


@pytest.mark.parametrize("tensor", TENSORS, ids=str)
@pytest.mark.parametrize("scaling", [(0.0, 1.0), (127.5, 127.5), (103.9, 57.1), (128, 128)])
def test_pixels_become_the_numbers_that_their_values_have(tensor, scaling):
    """The numbers are looked up, and must be those of the formula, to the bit."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 7, 3), dtype=np.uint8)
    pixels = pixels.transpose(0, 2, 1, 3)  # not contiguous
    for values, wanted in ((pixels, pixels), (Scaled(pixels, *scaling), scaled(pixels, *scaling))):
        found = quantise(values, tensor)
        expected = quantise(wanted.astype(np.float32), tensor)
        assert found.dtype == expected.dtype and found.shape == pixels.shape
        assert found.tobytes() == expected.tobytes()


def test_scaled_pixels_are_the_values_of_a_float_tensor():
    pixels = np.arange(256, dtype=np.uint8)[None]
    found = quantise(Scaled(pixels, 128, 64), Tensor("x", (1, 256), "float32"))
    assert found.dtype == np.float32 and found.tolist() == scaled(pixels, 128, 64).tolist()
