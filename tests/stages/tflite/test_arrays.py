"""A user's arrays become a model's examples, or are refused with the reason."""

import numpy as np
import pytest

from stages.tflite.arrays import Misfit, read
from stages.tflite.tensor import Tensor

INPUTS = {"x": Tensor("x", (1, 4, 2), "float32")}
ONE = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("values", "count"), [(ONE, 1), (ONE[None], 1), (np.zeros((3, 4, 2), bool), 3)]
)
def test_an_array_is_one_example_or_several(tmp_path, values, count):
    np.save(tmp_path / "a.npy", values)
    found = read(tmp_path / "a.npy", INPUTS)
    assert [one["x"].shape for one in found] == [(4, 2)] * count


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, 4)), r"its shape is \[2, 4\], but the model needs x: float32 \[1, 4, 2\]"),
        (np.zeros((4, 2), complex), "it contains complex128, but numbers are expected"),
        (np.full((4, 2), "a"), "it contains str"),
        (np.array([{}]), "it contains objects instead of numbers, or is not a NumPy file"),
    ],
    ids=["turned", "complex", "text", "objects"],
)
def test_an_array_that_is_no_example_is_refused(tmp_path, values, said):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(Misfit, match=said):
        read(tmp_path / "a.npy", INPUTS)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04torn", b"no array"])
def test_a_damaged_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Misfit):
        read(tmp_path / name, INPUTS)


def test_a_flipped_bit_in_an_archive_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=ONE)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(bytes(16)) + 8] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(Misfit, match="CRC"):
        read(tmp_path / "a.npz", INPUTS)


def test_an_input_that_an_archive_lacks_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", other=ONE)
    with pytest.raises(Misfit, match="it lacks the input 'x'; it has other"):
        read(tmp_path / "a.npz", INPUTS)


def test_several_inputs_need_names_and_as_many_examples(tmp_path):
    two = {**INPUTS, "y": Tensor("y", (1, 1), "float32")}
    np.save(tmp_path / "a.npy", ONE)
    with pytest.raises(Misfit, match=r"has 2 inputs: give them by name in a \.npz file"):
        read(tmp_path / "a.npy", two)
    np.savez(tmp_path / "a.npz", x=np.stack([ONE, ONE]), y=np.zeros((3, 1)))
    with pytest.raises(Misfit, match="different numbers of examples"):
        read(tmp_path / "a.npz", two)
