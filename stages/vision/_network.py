"""Builds picture classifiers that 8-bit accelerators support: a backbone and a classification layer."""

from pathlib import Path
from typing import Any

from stages.vision import _weights

BACKBONES = ("small", "mobilenet_v1", "mobilenet_v2")


def build(
    backbone: str, alpha: float, size: int, classes: int, dropout: float, weights: "Path | None"
) -> tuple[Any, Any]:
    """Return the network, (1, size, size, 3) pixels from 0 to 255 -> (1, classes), and its backbone.

    weights: a Keras file of the backbone without its top; None: random weights

    StageError: the file does not fit the backbone.
    """
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    body = _backbone(backbone, alpha, size)
    if weights is not None:
        _weights.load(body, weights, f"{backbone} with alpha {alpha:g}")
    x = layers.GlobalAveragePooling2D()(body(x))
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(logits)), body


def lower(network: Any) -> Any:
    """Return a network of the same layers up to the features: pictures -> (n, f)."""
    import keras
    from keras import layers

    pooling = [one for one in network.layers if isinstance(one, layers.GlobalAveragePooling2D)]
    return keras.Model(network.input, pooling[-1].output)


def thaw(body: Any, share: float, *, is_ready: bool) -> None:
    """Make this share of the backbone's layers trainable, counted from the top.

    A pretrained backbone keeps its batch normalisation statistics: few pictures estimate them badly.
    """
    from keras import layers

    frozen = round(len(body.layers) * (1 - share))
    for at, layer in enumerate(body.layers):
        is_kept = is_ready and isinstance(layer, layers.BatchNormalization)
        layer.trainable = at >= frozen and not is_kept


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
    """Return a few separable convolutions, which suffice for many simple pictures."""
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
