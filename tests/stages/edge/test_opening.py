"""If a trained model cannot be opened, a sentence names the cause."""

import pytest

from engine.stage import StageError
from stages.edge._convert import to_float
from stages.edge._opening import keras_network, signature_of
from stages.edge._sources import Source
from stages.tflite.naming import names_in
from stages.tflite.schema import read_model

tf = pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")


class Own(keras.layers.Layer):
    """A layer whose code is not available."""

    __module__ = "elsewhere"

    def call(self, x):
        return 2 * x


class Module(tf.Module):
    """A module saved without Keras."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8), tf.float32)])
    def batched(self, x):
        return {"y": x * 2.0}

    @tf.function(input_signature=[tf.TensorSpec((10,), tf.float32)])
    def unbatched(self, x):
        return {"y": x * 2.0}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
    def of_any_rank(self, x):
        return {"y": x * 2.0}


def saved(folder, **signatures):
    module = Module()
    found = {name: getattr(module, function) for name, function in signatures.items()}
    tf.saved_model.save(module, str(folder), signatures=found or None)
    return folder


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5 file.*")
def test_a_layer_of_the_users_own_is_named(tmp_path, form):
    inputs = keras.Input((8,))
    path = tmp_path / f"net.{form}"
    keras.Model(inputs, Own()(inputs)).save(path)
    with pytest.raises(StageError, match=rf"net\.{form} needs the code of 'Own'.* model\.export"):
        keras_network(Source(form, path))


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_network_without_inputs_is_named(tmp_path):
    keras.Sequential([keras.layers.Dense(3)]).save(tmp_path / "net.keras")
    with pytest.raises(StageError, match=r"net\.keras has no inputs yet: give it a keras\.Input"):
        keras_network(Source("keras", tmp_path / "net.keras"))


@pytest.mark.parametrize(("signatures", "has"), [({}, "none"), ({"other": "batched"}, "other")])
def test_a_saved_model_without_the_signature_says_which_it_has(tmp_path, signatures, has):
    folder = saved(tmp_path / "net", **signatures)
    with pytest.raises(StageError, match=f"net lacks the signature serving_default; it has {has}:"):
        signature_of(folder)


def test_a_damaged_saved_model_is_named(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(StageError, match="net cannot be opened as a SavedModel: "):
        signature_of(tmp_path / "net")


def test_a_saved_model_without_a_batch_keeps_its_size(tmp_path):
    """It is refused with the right reason, not converted to a model of one number."""
    source = Source("saved_model", saved(tmp_path / "net", serving_default="unbatched"))
    to_float(source, tmp_path / "exported", tmp_path / "m.tflite")
    graph = read_model(tmp_path / "m.tflite").subgraphs[0]
    assert graph.tensors[graph.inputs[0]].shape == (10,)


def test_an_input_of_any_rank_is_refused(tmp_path):
    source = Source("saved_model", saved(tmp_path / "net", serving_default="of_any_rank"))
    with pytest.raises(StageError, match="the input 'x' has no fixed rank: give the network fixed"):
        to_float(source, tmp_path / "exported", tmp_path / "m.tflite")


def test_a_name_that_python_reserves_is_no_obstacle(tmp_path):
    inputs = keras.Input((8,), name="in")
    keras.Model(inputs, keras.layers.Dense(3)(inputs)).save(tmp_path / "net.keras")
    source = Source("keras", tmp_path / "net.keras")
    to_float(source, tmp_path / "exported", tmp_path / "m.tflite")
    assert names_in(tmp_path / "m.tflite").inputs == ("in_",)
