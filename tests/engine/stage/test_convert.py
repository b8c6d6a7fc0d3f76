"""A stage may report NumPy values, paths or text of any bytes: they are converted to JSON types."""

import fractions
import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage.convert import as_number, as_plain, as_text


class Tensor:
    """A tensor like those of TensorFlow and PyTorch: `numpy` returns its values."""

    def __init__(self, value: object) -> None:
        self._value = value

    def numpy(self) -> np.ndarray:
        return np.array(self._value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("ü"), "ü"),
        (np.array(2), 2),
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (Tensor([1.5]), [1.5]),
        ({Path("x"): (np.int8(1), None)}, {"x": [1, None]}),
        (range(3), [0, 1, 2]),
        ((n for n in "ab"), ["a", "b"]),
        (Path("a/b"), "a/b"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        (b"caf\xe9", "caf\\xe9"),
        (fractions.Fraction(1, 2), 0.5),
        (True, True),
    ],
)
def test_a_value_becomes_one_of_jsons(value, plain):
    found = as_plain(value)
    assert (found, type(json.loads(json.dumps(found)))) == (plain, type(plain))


def test_what_is_nothing_of_these_is_shown_as_text():
    assert as_plain(ValueError("no")) == "no"


@pytest.mark.parametrize(
    ("value", "number"), [(np.array([7]), 7), (np.float32(0.5), 0.5), ("1.5", 1.5), (True, 1)]
)
def test_a_number_may_stand_in_an_array_of_one(value, number):
    assert as_number(value) == number and type(as_number(value)) in (int, float)


@pytest.mark.parametrize("value", [np.array([1, 2]), None, "many"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        as_number(value)


def test_text_is_valid_utf_8():
    assert as_text("\ud800") == "\\ud800"
