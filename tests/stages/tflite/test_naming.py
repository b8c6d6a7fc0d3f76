"""The names of a model's inputs and outputs."""

import os
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.tflite.flatbuffer import BadFile
from stages.tflite.naming import Names, names_in, names_of, names_of_twin
from stages.tflite.schema import Model, Signature, read_model
from tests.tflite_models import G, Op, T, write

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
TWINS = sorted(MIRROR.glob("models/*_edgetpu.tflite"))
ADD = ("AddOptions", {})


def graph(*names: str, inputs=(0, 1), outputs=(2,), shapes=((1, 4), (1, 4), (1, 4))) -> G:
    tensors = [T(shape, name=name) for name, shape in zip(names, shapes, strict=True)]
    return G(tensors, [Op("ADD", (0, 1), (2,), options=ADD)], inputs, outputs)


def test_what_tensorflow_adds_to_a_name_is_left_out(tmp_path):
    path = write(
        tmp_path / "m", graph("serving_default_left:0", "right", "StatefulPartitionedCall:1")
    )
    assert names_in(path) == Names(("left", "right"), ("StatefulPartitionedCall:1",))


def test_a_signature_names_before_the_tensors_do(tmp_path):
    model = read_model(write(tmp_path / "m", graph("a", "b", "c")))
    other = Signature("other", 0, (("p", 0), ("q", 1)), (("r", 2),))
    default = Signature("serving_default", 0, (("right", 1), ("left", 0)), (("total", 2),))
    named = Model(3, "", model.subgraphs, (other, default))
    assert names_of(named) == Names(("left", "right"), ("total",))


def test_a_tensor_that_is_two_outputs_has_both_names(tmp_path):
    model = read_model(write(tmp_path / "m", graph("a", "b", "c", outputs=(2, 2))))
    both = Signature("serving_default", 0, (("a", 0), ("b", 1)), (("scores", 2), ("logits", 2)))
    assert names_of(Model(3, "", model.subgraphs, (both,))).outputs == ("scores", "logits")
    assert names_of(model).outputs == ("c", "c_1")


def test_equal_names_are_numbered(tmp_path):
    assert names_in(write(tmp_path / "m", graph("x", "x:0", "x"))).inputs == ("x", "x_1")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_compiled_form_has_the_models_names_in_its_own_order(tmp_path, order):
    path = write(tmp_path / "m", graph("a", "b", "c", shapes=((1, 4), (1, 1), (1, 4))))
    twin = write(
        tmp_path / "twin",
        graph("a", "b", "c", inputs=order, shapes=((1, 4), (1, 1), (1, 4))),
    )
    assert names_of_twin(path, twin).inputs == tuple("ab"[at] for at in order)


def test_a_compiled_form_with_other_names_goes_by_place(tmp_path):
    path = write(tmp_path / "m", graph("a", "b", "c"))
    twin = write(tmp_path / "twin", graph("x", "y", "z"))
    assert names_of_twin(path, twin) == Names(("a", "b"), ("c",))


def test_a_compiled_form_of_another_model_is_refused(tmp_path):
    path = write(tmp_path / "m", graph("a", "b", "c"))
    other = write(tmp_path / "twin", graph("a", "b", "c", shapes=((1, 5), (1, 5), (1, 5))))
    with pytest.raises(StageError, match="twin is not m, compiled: its inputs or outputs differ"):
        names_of_twin(path, other)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "m").write_bytes(b"TFL3" * 20)
    with pytest.raises(BadFile):
        names_in(tmp_path / "m")


@pytest.mark.mirror
@pytest.mark.skipif(not TWINS, reason="RPI_MLOPS_MIRROR names no folder with compiled models")
@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.stem)
def test_a_published_model_and_its_compiled_twin_have_the_same_names(twin):
    path = twin.with_name(twin.name.replace("_edgetpu", ""))
    names, found = names_in(path), names_of_twin(path, twin)
    assert (set(found.inputs), set(found.outputs)) == (set(names.inputs), set(names.outputs))
