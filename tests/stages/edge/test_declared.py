"""What a model declares of its inputs and outputs is what its converted form has."""

import pytest

from engine.stage import StageError
from stages.edge import _convert, _declared
from stages.edge._ends import ends
from stages.edge._sources import Source
from stages.tflite.schema import read_model

pytestmark = pytest.mark.slow  # TensorFlow


def _in_child(function, *arguments):
    _convert.in_child(function, *arguments)


def _save_two(path):
    import keras

    left, right = keras.Input((4, 4, 3), name="left eye"), keras.Input((2,), name="b")
    flat = keras.layers.Flatten()(left)
    joined = keras.layers.Concatenate()([flat, right])
    outputs = [keras.layers.Dense(3, name="y")(joined), keras.layers.Dense(1, name="z")(joined)]
    keras.Model([left, right], outputs).save(path)


def _save_one(path):
    import keras

    network = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(2)])
    network.save(path)


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_inputs_and_outputs_are_those_of_the_converted_model(tmp_path, kind):
    path = tmp_path / "net.keras"
    _in_child(_save_two, path)
    if kind == "saved_model":
        path = tmp_path / "net"
        _in_child(_convert.to_float, Source("keras", tmp_path / "net.keras"), path, tmp_path / "m")
    source = Source(kind, path)
    _in_child(_convert.to_float, source, tmp_path / "exported", tmp_path / "f.tflite")
    inputs, outputs = ends(read_model(tmp_path / "f.tflite"))
    declared, answers = _declared.ends(source)
    assert declared == inputs
    assert sorted(one.shape for one in answers.values()) == sorted(
        one.shape for one in outputs.values()
    )


def test_an_open_size_is_refused_as_after_conversion(tmp_path):
    _in_child(_save_one, tmp_path / "net.keras")
    with pytest.raises(StageError, match="give the network fixed shapes"):
        _declared.ends(Source("keras", tmp_path / "net.keras"))
