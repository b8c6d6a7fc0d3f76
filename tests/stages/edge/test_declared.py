"""What a model declares of its inputs and outputs is what its converted form has."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from engine.stage import StageError
from stages.edge import _convert, _declared
from stages.edge._ends import ends
from stages.edge._sources import Source
from stages.tflite.schema import read_model

pytestmark = pytest.mark.slow  # TensorFlow


def _fresh(function, *arguments):
    """Return what the function returns in a separate process.

    _convert forks, and TensorFlow's threads, which other tests may have started here, survive no fork.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


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


def _declared_and_converted(kind, folder):
    """Return the inputs and outputs that the saved network declares, and those of its `.tflite`."""
    path = folder / "net.keras"
    _convert.in_child(_save_two, path)
    if kind == "saved_model":
        path = folder / "net"
        keras = Source("keras", folder / "net.keras")
        _convert.in_child(_convert.to_float, keras, path, folder / "m")
    source = Source(kind, path)
    _convert.in_child(_convert.to_float, source, folder / "exported", folder / "f.tflite")
    return _declared.ends(source), ends(read_model(folder / "f.tflite"))


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_inputs_and_outputs_are_those_of_the_converted_model(tmp_path, kind):
    (declared, answers), (inputs, outputs) = _fresh(_declared_and_converted, kind, tmp_path)
    assert declared == inputs
    assert sorted(one.shape for one in answers.values()) == sorted(
        one.shape for one in outputs.values()
    )


def _declared_with_an_open_size(path):
    _convert.in_child(_save_one, path)
    _declared.ends(Source("keras", path))


def test_an_open_size_is_refused_as_after_conversion(tmp_path):
    with pytest.raises(StageError, match="give the network fixed shapes"):
        _fresh(_declared_with_an_open_size, tmp_path / "net.keras")
