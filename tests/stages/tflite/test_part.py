"""Parts of a data set, written by `dataset` stages and read by the shared stages."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.tflite import part
from stages.tflite.part import Item
from stages.tflite.tensor import Tensor

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
MASK = np.ones((4, 5), np.int32)


@pytest.fixture
def folder(tmp_path):
    part.write(tmp_path / "test", {"ids/x": X, "mask": MASK})
    return tmp_path / "test"


def test_tensors_are_read_as_they_were_written_and_mapped(folder):
    found = part.read(folder)
    assert found.examples == 4 and isinstance(found.tensors["ids/x"], np.memmap)
    assert np.array_equal(found.tensors["ids/x"], X) and np.array_equal(found.tensors["mask"], MASK)


def test_the_listing_says_shapes_without_the_examples(folder):
    assert json.loads((folder / "tensors.json").read_text()) == {
        "examples": 4,
        "tensors": {
            "ids/x": {"shape": [2, 3], "type": "float32"},
            "mask": {"shape": [5], "type": "int32"},
        },
    }


def test_a_part_can_be_filled_example_by_example(tmp_path):
    made = part.create(tmp_path / "train", 3, {"x": ((2,), "float32")})
    for at in range(3):
        made["x"][at] = at
    del made
    assert part.read(tmp_path / "train").tensors["x"].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_a_part_without_examples_is_refused(tmp_path):
    part.write(tmp_path / "test", {"x": X[:0]})
    with pytest.raises(StageError, match="test has no examples"):
        part.read(tmp_path / "test")


def test_tensors_of_different_lengths_make_no_part(tmp_path):
    with pytest.raises(
        ValueError, match=r"the tensors of a part have different numbers of examples: \[3, 4\]"
    ):
        part.write(tmp_path / "test", {"x": X, "mask": MASK[:3]})


@pytest.mark.parametrize(
    ("file", "data", "said"),
    [
        ("tensors.json", b"", "is not a part of a data set"),
        ("tensors.json", b'{"examples": 4, "tensors": [1]}', "is not a part of a data set"),
        ("mask.npy", b"", "is not a part of a data set"),
        ("mask.npy", b"not an array", "is not a part of a data set"),
    ],
)
def test_a_damaged_part_is_refused_in_a_sentence(folder, file, data, said):
    (folder / file).write_bytes(data)
    with pytest.raises(StageError, match=said):
        part.read(folder)


def test_a_part_that_is_not_what_it_says_is_refused(folder):
    np.save(folder / "mask.npy", MASK[:, :2])
    said = r"mask.npy contains int32 \[4, 2\], but tensors.json says int32 \[4, 5\]"
    with pytest.raises(StageError, match=said):
        part.read(folder)


def test_an_array_of_objects_is_never_unpickled(folder):
    np.save(folder / "mask.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(StageError, match="is not a part of a data set"):
        part.read(folder)


def test_a_single_tensor_fits_a_single_input_of_any_name(tmp_path):
    part.write(tmp_path / "test", {"features": X})
    found = part.read(tmp_path / "test").for_inputs(
        {"input_1": Tensor("input_1", (1, 2, 3), "int8")}
    )
    assert np.array_equal(found["input_1"], X)


def test_stored_numbers_are_read_as_the_values_that_they_stand_for(tmp_path):
    pixels = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)
    scaling = {"picture": {"mean": 128.0, "deviation": 64.0}}
    part.create(tmp_path / "test", 5, {"picture": ((5,), "uint8")}, scaling)["picture"][:] = pixels
    found = part.read(tmp_path / "test")
    assert found.tensors["picture"].dtype == np.uint8  # as they are stored
    values = found.for_inputs({"x": Tensor("x", (1, 5), "uint8")})["x"]
    assert values.shape == (5, 5) and len(values) == 5
    wanted = (pixels.astype(np.float32) - 128) / 64
    assert np.array_equal(values[1:3], wanted[1:3])
    assert np.array_equal(values[np.array([4, 0])], wanted[[4, 0]])
    assert np.array_equal(found.example(2)["picture"], wanted[2:3])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            [Tensor("mask", (1, 5), "int32"), Tensor("x", (1, 2, 3), "int8")],
            "needs the inputs mask, x, but the data set has ids/x, mask",
        ),
        (
            [Tensor("mask", (1, 9), "int32"), Tensor("ids/x", (1, 2, 3), "int8")],
            r"needs mask: int32 \[1, 9\], but an example of the data set is \[5\]",
        ),
    ],
    ids=["name", "shape"],
)
def test_a_part_for_another_model_is_refused(folder, inputs, said):
    with pytest.raises(StageError, match=said):
        part.read(folder).for_inputs({tensor.name: tensor for tensor in inputs})


def test_an_example_is_a_batch_of_one(folder):
    found = part.read(folder).example(2)
    assert np.array_equal(found["ids/x"], X[2:3]) and found["mask"].shape == (1, 5)


def test_raw_items_name_the_examples_that_were_made_of_them(folder):
    (part.raw_folder(folder) / "00.jpg").write_bytes(b"a picture")
    part.write_items(folder, {"00.jpg": (0, 2), "01": (3, 3)})
    raw = folder / "raw"
    assert part.items(folder) == [Item(raw / "00.jpg", 0, 2), Item(raw / "01", 3, 3)]


def test_a_part_without_raw_items_has_none(folder):
    assert part.items(folder) == []
