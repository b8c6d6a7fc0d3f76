"""Picture classifiers of operations that the Edge TPU takes: a backbone, and a layer that names classes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.stage import StageError

BACKBONES = ("small", "mobilenet_v1", "mobilenet_v2")


def build(
    backbone: str, alpha: float, size: int, classes: int, dropout: float, weights: "Path | None"
) -> tuple[Any, Any]:
    """Return the network (1, size, size, 3) pixels of 0 to 255 -> (1, classes), and its backbone.

    weights: a Keras file of the backbone without its top; None: random ones

    StageError: a file that does not fit the backbone.
    """
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    body = _backbone(backbone, alpha, size)
    if weights is not None:
        _load(body, weights, f"{backbone} with alpha {alpha:g}")
    x = layers.GlobalAveragePooling2D()(body(x))
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(logits)), body


def thaw(body: Any, *, is_frozen: bool, is_ready: bool) -> None:
    """Set which layers of the backbone are trained.

    A ready one keeps the statistics of its batch normalisation: a few pictures would spoil them.
    """
    from keras import layers

    body.trainable = not is_frozen
    for layer in body.layers:
        if is_ready and isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def _backbone(name: str, alpha: float, size: int) -> Any:
    import keras

    shape = (size, size, 3)
    if name == "small":
        return _small(shape, alpha)
    make = {
        "mobilenet_v1": keras.applications.MobileNet,
        "mobilenet_v2": keras.applications.MobileNetV2,
    }[name]
    return make(input_shape=shape, alpha=alpha, include_top=False, weights=None)


def _small(shape: tuple[int, int, int], alpha: float) -> Any:
    """Return a few separable convolutions, for pictures that are simple and many enough."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    x = _convolved(inputs, layers.Conv2D(round(16 * alpha), 3, 2, "same", use_bias=False))
    for filters in (32, 64, 96, 128):
        x = _convolved(x, layers.DepthwiseConv2D(3, 2, "same", use_bias=False))
        x = _convolved(x, layers.Conv2D(round(filters * alpha), 1, use_bias=False))
    return keras.Model(inputs, x, name="small")


def _convolved(x: Any, convolution: Any) -> Any:
    from keras import layers

    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(convolution(x)))


def _load(body: Any, path: Path, called: str) -> None:
    try:
        with _named_for_keras(path) as file:
            body.load_weights(str(file))
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise StageError(f"the weights are none of {called} without its top: {reason}") from None


@contextmanager
def _named_for_keras(path: Path) -> Iterator[Path]:
    """Give the file the suffix that Keras goes by."""
    import h5py

    with h5py.File(path) as file:
        is_legacy = "layer_names" in file.attrs
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / ("backbone.h5" if is_legacy else "backbone.weights.h5")
        link.symlink_to(path.absolute())
        yield link
