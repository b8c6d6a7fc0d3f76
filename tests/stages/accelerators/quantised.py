"""Makes small networks with Sony's toolkit, and writes what they and their float forms are.

    ENVIRONMENT/bin/python quantised.py FOLDER

FOLDER/<kind>: float.tflite, and outputs.npz: the quantised network's outputs for FOLDER/pictures.npy by
name, in its order, as the camera computes them.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from stages.imx500 import _ptq

SIZE, CLASSES, PICTURES = 32, 3, 24
layers = tf.keras.layers


def body(seen):
    x = layers.DepthwiseConv2D(1, name="scaled")(seen)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)


def classifier():
    seen = tf.keras.Input((SIZE, SIZE, 3), name="picture")
    x = layers.GlobalAveragePooling2D()(body(seen))
    x = layers.Dense(CLASSES)(x)
    return tf.keras.Model(seen, {"probabilities": layers.Softmax(name="probabilities")(x)})


def detector():
    seen = tf.keras.Input((SIZE, SIZE, 3), name="picture")
    x = body(seen)
    boxes = layers.Reshape((-1, 4), name="boxes")(layers.Conv2D(4, 1)(x))
    scores = layers.Reshape((-1, CLASSES))(layers.Conv2D(CLASSES, 1)(x))
    scores = layers.Activation("sigmoid", name="scores")(scores)
    return tf.keras.Model(seen, {"boxes": boxes, "scores": scores})


def main(folder):
    tf.keras.utils.set_random_seed(0)
    colours = np.random.default_rng(0).integers(0, 256, (PICTURES, 4, 4, 3))
    pictures = colours.repeat(SIZE // 4, 1).repeat(SIZE // 4, 2).astype(np.uint8)
    np.save(folder / "pictures.npy", pictures)
    for make in (classifier, detector):
        write(make(), pictures, folder / make.__name__)


def write(model, pictures, folder):
    scale = np.full((1, 1, 3, 1), 1 / 64, np.float32)
    model.get_layer("scaled").set_weights([scale, np.full(3, -2, np.float32)])
    folder.mkdir()
    (folder / "float.tflite").write_bytes(converted(model))
    names = sorted(model.output)
    listed = tf.keras.Model(model.input, [model.output[name] for name in names])
    made = _ptq.outputs_of(_ptq.quantised(listed, pictures), pictures)
    np.savez(folder / "outputs.npz", **dict(zip(names, made, strict=True)))


def converted(model):
    """Return the float TFLite form, for one picture, whose outputs keep their names."""

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32, "picture")])
        def call(self, picture):
            return self.model(picture)

    network = Network()
    network.model = model
    call = network.call.get_concrete_function()
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(network, saved, signatures=call)
        return tf.lite.TFLiteConverter.from_saved_model(saved).convert()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
