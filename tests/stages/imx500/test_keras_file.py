"""Weights of .keras and .h5 files, compared with those of the Keras that wrote them."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from engine.stage import StageError
from stages.imx500 import _keras_file

# Keras runs in its own process, because TensorFlow and tflite-runtime cannot share one. The first model makes
# sure that the layers of the second are numbered from 1 or more, although the groups in the file are not.
MAKE = """
import sys
import keras
import numpy as np

def network():
    inner = keras.Input((8, 8, 4))
    x = keras.layers.DepthwiseConv2D(3)(inner)
    x = keras.layers.BatchNormalization()(x)
    nested = keras.Model(inner, keras.layers.Conv2D(4, 1)(x))
    seen = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(seen)
    x = keras.layers.Conv2D(4, 1)(x)
    x = nested(x)
    x = keras.layers.Conv2DTranspose(2, 2, name="up")(x)
    x = keras.layers.Dropout(0.1)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(seen, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])

network()
model, folder = network(), sys.argv[1]
generator = np.random.default_rng(0)
model.set_weights([generator.random(each.shape) for each in model.get_weights()])
model.save(folder + "/model.keras")
model.save(folder + "/model.h5")
seen = keras.Input((8, 8, 3))
for name in ("LSTM", "GRU", "Bidirectional", "TimeDistributed", "MultiHeadAttention"):
    x = keras.layers.Reshape((64, 3))(keras.layers.Dropout(0.1)(seen))
    kind = getattr(keras.layers, name)
    inside = {
        "Bidirectional": lambda: kind(keras.layers.LSTM(2), name="mine")(x),
        "TimeDistributed": lambda: kind(keras.layers.Dense(2), name="mine")(x),
        "MultiHeadAttention": lambda: kind(1, 2, name="mine")(x, x),
    }
    made = inside.get(name, lambda: kind(2, name="mine")(x))()
    keras.Model(seen, made).save(folder + f"/{name}.keras")

@keras.saving.register_keras_serializable(package="me")
class Gate(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.inside = keras.layers.Dense(2)
    def call(self, x):
        return self.inside(x)

keras.Model(seen, Gate(name="mine")(seen)).save(folder + "/Gate.keras")
np.savez(folder + "/weights.npz", *model.get_weights())
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a model in both forms, and its weights in order."""
    folder = tmp_path_factory.mktemp("saved")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    made = [sys.executable, "-c", MAKE, str(folder)]
    subprocess.run(made, check=True, env=environment, capture_output=True)
    with np.load(folder / "weights.npz") as file:
        return folder, [file[f"arr_{n}"] for n in range(len(file.files))]


@pytest.mark.parametrize(
    ("name", "read"),
    [("model.keras", _keras_file.read_zip), ("model.h5", _keras_file.read_h5)],
)
def test_the_weights_come_in_the_order_of_keras(saved, name, read):
    folder, weights = saved
    _, found = read(folder / name)
    assert [each.shape for each in found] == [each.shape for each in weights]
    assert all(np.array_equal(one, other) for one, other in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("name", "read"),
    [("model.keras", _keras_file.read_zip), ("model.h5", _keras_file.read_h5)],
)
def test_a_truncated_file_is_named(saved, tmp_path, name, read):
    whole = (saved[0] / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(_keras_file.NotAModel, match=name):
        read(tmp_path / name)


def copied(saved, to, **changed):
    """Write the saved model.keras with other files inside."""
    with zipfile.ZipFile(saved[0] / "model.keras") as old:
        files = {name: old.read(name) for name in ("config.json", "model.weights.h5")}
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in {**files, **changed}.items():
            new.writestr(name, content)
    return to


@pytest.mark.parametrize("damaged", [b"", b"x" * 100])
def test_weights_that_are_no_hdf5_are_named(saved, tmp_path, damaged):
    path = copied(saved, tmp_path / "model.keras", **{"model.weights.h5": damaged})
    with pytest.raises(StageError, match=r"model\.keras is not a whole \.keras file"):
        _keras_file.read_zip(path)


def test_a_file_that_unpacks_to_a_large_one_is_not_unpacked(saved, tmp_path):
    path = copied(saved, tmp_path / "model.keras", **{"config.json": b" " * (101 << 20)})
    with pytest.raises(StageError, match=r"its config\.json has 105,906,176 bytes"):
        _keras_file.read_zip(path)


def test_a_model_of_a_class_of_its_own_is_refused_before_its_weights_are_read(saved, tmp_path):
    own = b'{"class_name": "Mine", "config": {}}'
    path = copied(saved, tmp_path / "model.keras", **{"config.json": own})
    with pytest.raises(StageError, match="the model is a Mine, whose layers cannot be listed"):
        _keras_file.read_zip(path)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "Bidirectional", "TimeDistributed"])
def test_a_layer_that_the_camera_lacks_is_named_with_a_replacement(saved, kind):
    with pytest.raises(StageError) as refusal:
        _keras_file.read_zip(saved[0] / f"{kind}.keras")
    assert f"{kind} in the layer 'mine' (the camera has no such operator): " in str(refusal.value)
    assert ("on the processor" in str(refusal.value)) == (kind != "TimeDistributed")
    assert not isinstance(refusal.value, _keras_file.NotAModel)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("MultiHeadAttention", "contains other layers with weights (key_dense, output_dense, "),
        ("Gate", "is code"),
    ],
)
def test_a_layer_with_weights_in_parts_is_named_with_its_class(saved, kind, says):
    with pytest.raises(StageError) as refusal:
        _keras_file.read_zip(saved[0] / f"{kind}.keras")
    assert f"the layer 'mine' ({kind}) {says}" in str(refusal.value)
