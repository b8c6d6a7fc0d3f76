"""Builds the classifier: two dense layers, which 8-bit accelerators support."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.text._sparse import Batch

INITIAL = 0.02  # deviation of the first layer's weights; larger ones leave noise in rare features
SPREAD = 4.0  # length of a training vector: with 1, the first layer would learn too slowly


def build(size: int, hidden: int, classes: int) -> Any:
    """Return the network: features (1, size) -> logits (1, classes)."""
    import keras
    from keras import layers

    inputs = keras.Input((size,), name="sentence")
    start = keras.initializers.RandomNormal(stddev=INITIAL)
    x = layers.Dense(hidden, kernel_initializer=start, name="hidden")(inputs)
    x = layers.ReLU()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))


def rescale(network: Any, factor: float) -> None:
    """Change the weights so that the network takes inputs that are multiplied by 1 / factor."""
    layer = network.get_layer("hidden")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * factor, bias])


def forward(network: Any, dropout: float = 0.0) -> "Callable[[Any, Any], Any]":
    """Return a function of a sparse tensor (n, size) and a seed (2,), which returns logits (n, classes).

    dropout: share of the hidden units that are dropped
    """
    import tensorflow as tf

    hidden, last = network.get_layer("hidden"), network.get_layer("logits")

    def logits(features: Any, seed: Any) -> Any:
        x = tf.sparse.sparse_dense_matmul(features, hidden.kernel.value) + hidden.bias.value
        x = tf.nn.relu(x)
        if dropout:
            is_kept = tf.random.stateless_uniform(tf.shape(x), seed) >= dropout
            x = tf.where(is_kept, x / (1 - dropout), 0.0)
        return tf.matmul(x, last.kernel.value) + last.bias.value

    return logits


def outputs(network: Any, batches: "list[Batch]") -> Any:
    """Return the logits of all batches, (n, classes) float32."""
    import numpy as np

    run = forward(network)
    return np.concatenate([run(one.tensor(), [0, 0]).numpy() for one in batches])
