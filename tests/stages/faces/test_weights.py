"""Weights published for TensorFlow.js: 8 bits, 16 bits and float, listed in either form of manifest."""

import json

import numpy as np
import pytest

from stages.faces import _weights

ENTRIES = [
    {"name": "a", "shape": [2], "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
    {"name": "b", "shape": [1, 1], "dtype": "float32"},
    {"name": "c", "shape": [], "dtype": "float32", "quantization": {"dtype": "float16"}},
]


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_are_dequantised(tmp_path, wrapped):
    groups = [{"weights": ENTRIES}]
    about = {"weightsManifest": groups} if wrapped else groups
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    data = bytes([0, 4]) + np.float32([7]).tobytes() + np.float16([0.5]).tobytes()
    (tmp_path / "weights.bin").write_bytes(data)
    found = _weights.read(tmp_path)
    assert found["a"].tolist() == [-1, 1] and found["b"].tolist() == [[7]]
    assert found["c"] == 0.5 and found["c"].dtype == np.float32


def test_fewer_bytes_than_listed_are_an_error(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps([{"weights": ENTRIES}]))
    (tmp_path / "weights.bin").write_bytes(bytes(3))
    with pytest.raises(ValueError):
        _weights.read(tmp_path)


def test_the_weights_of_several_networks_are_joined(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        entries = [{"name": name, "shape": [1]}]
        (tmp_path / name / "manifest.json").write_text(json.dumps([{"weights": entries}]))
        (tmp_path / name / "weights.bin").write_bytes(np.float32([3]).tobytes())
    assert _weights.read_all(tmp_path).keys() == {"first", "second"}
    assert _weights.read_all(tmp_path / "first").keys() == {"first"}
