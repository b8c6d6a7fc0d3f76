"""Makes Keras 3 models, rebuilds each from its files, and prints how far the outputs differ, as JSON.

TensorFlow would disturb the other tests of a process, so that this is a program: `python rebuilding.py
FOLDER`.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from engine.stage import StageError
from stages.imx500 import _largest, _source


def picture():
    return keras.Input((16, 16, 3), name="picture")


def block(x, filters, name):
    x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(name=f"{name}_bn")(x))


def nested():
    """A Rescaling layer, a nested network with an addition, and dropout."""
    source = keras.Input((16, 16, 3))
    x = block(source, 8, "a")
    x = keras.layers.Add()([x, block(x, 8, "b")])
    backbone = keras.Model(source, x, name="backbone")
    seen = picture()
    x = backbone(keras.layers.Rescaling(1 / 127.5, -1, name="scaled")(seen))
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(seen, keras.layers.Softmax()(keras.layers.Dense(4)(x)))


def two_outputs():
    """Outputs in a dictionary, from joined branches."""
    seen = picture()
    x = block(keras.layers.Rescaling(1 / 255)(seen), 4, "a")
    boxes = keras.layers.Reshape((-1, 4))(keras.layers.Conv2D(8, 3, strides=2)(x))
    deeper = keras.layers.Reshape((-1, 4))(keras.layers.DepthwiseConv2D(3, strides=4)(x))
    scores = keras.layers.Activation("sigmoid")(keras.layers.Conv2D(2, 1)(x))
    joined = keras.layers.Concatenate(axis=1)([boxes, deeper])
    return keras.Model(seen, {"boxes": joined, "scores": scores})


def sequential():
    return keras.Sequential(
        [
            picture(),
            keras.layers.SeparableConv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def shared():
    """One layer that is called twice."""
    seen = picture()
    twice = keras.layers.Conv2D(3, 3, padding="same")
    x = twice(twice(seen))
    return keras.Model(seen, keras.layers.Flatten()(x))


def odd_names():
    """Names that TensorFlow refuses, and a layer whose setting Keras 3 renamed."""
    seen = keras.Input((16, 16, 3), name="my picture")
    x = keras.layers.Conv2D(4, 3, name="_erste Schicht ä")(seen)
    x = keras.layers.LeakyReLU(0.25)(keras.layers.BatchNormalization(name="_erste Schicht ö")(x))
    return keras.Model(seen, keras.layers.Dot((1, 1))([keras.layers.Flatten()(x)] * 2))


def normalised():
    """Mean and variance as weights, in the configuration, for all channels, and the other way round."""
    seen = picture()
    x = keras.layers.Rescaling([0.1, 0.2, 0.3])(keras.layers.Normalization()(seen))
    x = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 0.25, 1.0])(x)
    x = keras.layers.Normalization(axis=None, mean=0.5, variance=4.0, invert=True)(x)
    x = keras.layers.Normalization(axis=None)(x)
    return keras.Model(seen, keras.layers.Conv2D(2, 3)(x))


def parts(network, folder):
    folder.mkdir()
    (folder / "architecture.json").write_text(network.to_json())
    for at, weights in enumerate(network.get_weights()):
        np.save(folder / f"weights_{at:03}.npy", weights)
    return folder


def file(suffix):
    def save(network, path):
        network.save(path.with_suffix(suffix))
        return path.with_suffix(suffix)

    return save


def some(rng, shape):
    """Return weights that saturate nothing; those of one dimension may be variances."""
    return rng.normal(0, 0.2, shape) if len(shape) > 1 else rng.uniform(0.5, 1.5, shape)


def outputs(found):
    if isinstance(found, dict):
        return {name: np.asarray(value) for name, value in found.items()}
    return {"": np.asarray(found)}


def main(folder):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 16, 16, 3)).astype(np.float32)
    results = {}
    forms = {"parts": parts, "keras": file(".keras"), "h5": file(".h5")}
    for make in (nested, two_outputs, sequential, shared, odd_names, normalised):
        network = make()
        weights = [some(rng, each.shape) for each in network.get_weights()]
        network.set_weights(weights)
        for layer in network.layers:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()  # Normalization does not see that its weights have changed
        expected = outputs(network(pictures, training=False))
        for form, save in forms.items():
            opened = _source.opened(save(network, folder / f"{make.__name__}_{form}"))
            made = opened.model(pictures, training=False)
            made = made if isinstance(made, (list, tuple)) else [made]
            rows = dict(zip(opened.outputs if "" not in expected else [""], made, strict=True))
            results[f"{make.__name__} {form}"] = {
                "outputs": list(opened.outputs),
                "difference": max(
                    float(np.abs(np.asarray(rows[name]) - value).max() / np.abs(value).max())
                    for name, value in expected.items()
                ),
                "layers": [type(one).__name__ for one in opened.model.layers],
                "largest": _largest.largest(_largest_rows(opened.model)),
            }
    scaled = parts(shared(), folder / "scaled")
    plain, own = _source.opened(scaled), _source.opened(scaled, {"mean": 100.0, "deviation": 2.0})
    ours, theirs = own.model(pictures), plain.model((pictures - 100) / 2)
    results["scaled"] = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
    weights = folder / "scaled" / "weights_000.npy"
    np.save(weights, np.zeros((1, 1)))
    try:
        _source.opened(scaled)
    except StageError as error:
        results["other weights"] = str(error)
    rows = keras.Sequential([picture(), keras.layers.Normalization(axis=1, name="rows")])
    try:
        _source.opened(parts(rows, folder / "rows"))
    except StageError as error:
        results["other axis"] = str(error)
    wrapper = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 1), name="wrapped")
    wrapped = keras.Sequential([keras.Input((16, 16, 3)), wrapper])
    saved = parts(wrapped, folder / "wrapped")
    described = json.loads((saved / "architecture.json").read_text())
    del described["config"]["layers"][1]["config"][
        "layer"
    ]  # as of a version that names it otherwise
    (saved / "architecture.json").write_text(json.dumps(described))
    try:
        _source.opened(saved)
    except StageError as error:
        results["other settings"] = str(error)
    sys.stdout.write(json.dumps(results) + "\n")


def _largest_rows(model):
    """Return the rows, with the shapes in Keras 2.15's form."""
    for layer in model.layers:
        if not hasattr(layer, "output_shape"):
            type(layer).output_shape = property(lambda self: self.output.shape)
    return _largest.layers_of(model)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
