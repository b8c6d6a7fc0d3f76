"""Messages of named tensors."""

import io

import numpy as np
import pytest

from stages.tflite import wire


def test_facts_and_tensors_come_out_as_they_went_in():
    tensors = {
        "picture": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
        "big endian": np.arange(3, dtype=">f4"),
        "number": np.array(7, np.int64),
        "empty": np.zeros((0, 4), np.float32),
    }
    data = io.BytesIO(wire.pack({"took_ms": 1.5}, tensors))
    facts, found = wire.unpack(data.read)
    assert facts == {"took_ms": 1.5} and list(found) == list(tensors) and data.read() == b""
    for name, array in tensors.items():
        assert (found[name].shape, found[name].dtype.name) == (array.shape, array.dtype.name)
        assert np.array_equal(found[name], array)


def test_what_comes_out_may_be_written():
    found = wire.unpack(io.BytesIO(wire.pack({}, {"x": np.zeros(2)})).read)[1]["x"]
    found[0] = 1
    assert found.tolist() == [1, 0]


@pytest.mark.parametrize("kept", [0, 2, 10, -1])
def test_a_message_that_ends_early_is_noticed(kept):
    data = wire.pack({}, {"x": np.zeros(2)})[:kept]
    with pytest.raises(wire.Ended):
        wire.unpack(io.BytesIO(data).read)
