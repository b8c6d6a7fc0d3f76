"""Inputs that the shared stages cannot handle are refused before a model is converted or calibrated."""

import pytest

from engine.stage import StageError
from stages.edge._ends import ends
from stages.tflite.schema import read_model
from tests.tflite_models import G, Op, T, write


def declared(folder, *inputs):
    """Return the ends of a model of these inputs."""
    tensors = [*inputs, T((1, 2), name="y")]
    places = range(len(inputs))
    graph = G(tensors, [Op("ADD", places, (len(inputs),))], places, (len(inputs),))
    return ends(read_model(write(folder / "m.tflite", graph)))


def test_inputs_and_outputs_are_found_by_name(tmp_path):
    inputs, outputs = declared(tmp_path, T((1, 2), name="a"), T((1, 3), "FLOAT32", name="b"))
    assert [str(one) for one in inputs.values()] == ["a: int8 [1, 2]", "b: float32 [1, 3]"]
    assert [str(one) for one in outputs.values()] == ["y: int8 [1, 2]"]


def test_an_open_batch_of_one_is_no_harm(tmp_path):
    assert declared(tmp_path, T((1, 2), signature=(-1, 2), name="a"))[0]["a"].shape == (1, 2)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (T((1, 1, 1, 3), signature=(1, -1, -1, 3)), r"is \[1, -1, -1, 3\]: give the network fixed"),
        (T((10,)), r"is \[10\]: give the network a batch of 1 as its first dimension"),
        (T((4, 10)), r"is \[4, 10\]: give the network a batch of 1 as its first dimension"),
        (T(()), r"is \[\]: give the network a batch of 1 as its first dimension"),
        (T((1, 2), "STRING"), "is text: start the network after the layer that reads text"),
    ],
    ids=["open", "no batch", "larger batch", "scalar", "text"],
)
def test_an_input_that_no_example_fits_is_refused(tmp_path, tensor, said):
    tensor.name = "a"
    with pytest.raises(StageError, match=f"the input 'a' {said}"):
        declared(tmp_path, tensor)


def test_a_model_without_an_input_is_refused(tmp_path):
    with pytest.raises(StageError, match="has no input"):
        declared(tmp_path)
