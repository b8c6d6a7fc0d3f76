"""Builds the network that turns an aligned face into an embedding."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.bounds import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWN_SEED = 1_000_003  # no sample has it: the drawn people of training are in no sample
PEOPLE, EACH = 400, 5  # drawn for training
SCALE = 16  # of the cosines before the softmax
WIDTHS = (16, 32, 64, 64)
SIZE = 48  # of the small network's embedding


class EmbedderMetrics(TypedDict):
    """The number of the network's parameters."""

    parameters: float


def embedder(
    weights: In | None,
    model: Out,
    *,
    size: Annotated[int, Range(ge=32, le=256)] = 150,
    epochs: Annotated[int, Range(ge=1)] = 15,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> EmbedderMetrics:
    """Rebuild a published network from its weights, or train a small one on drawn faces without them.

    weights: a folder with manifest.json and weights.bin of dlib's ResNet (stages.faces._resnet); without
             it, the network is only good for the sample, whose faces are drawn too
    model:   architecture.json and weights_*.npy, float32 (1, size, size, 3) of 0 to 255 -> (1, d)

    size:    side of the network's input, in pixels; 150 with weights
    epochs:  of training without weights
    seed:    of training without weights
    threads: CPU threads of TensorFlow

    StageError: weights of another network, or another size than theirs.
    """
    from stages.faces import _resnet
    from stages.training.network import fix, save

    if weights and size != _resnet.SIDE:
        raise StageError(
            f"params.size: the network needs faces of {_resnet.SIDE} pixels, not {size}"
        )
    fix(seed, threads)
    if weights is None:
        note("training a small network on drawn faces: it does not recognise people")
    network = _resnet.build(weights) if weights else _small(size, epochs)
    save(network, model)
    return EmbedderMetrics(parameters=float(network.count_params()))


def _small(size: int, epochs: int) -> Any:
    """Return a network that was trained to tell drawn people apart, without its last layer."""
    import keras
    import numpy as np
    from keras import layers

    inputs = keras.Input((size, size, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    for width in WIDTHS:
        x = layers.Conv2D(width, 3, 2, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(x)
    embedding = layers.Dense(SIZE, name="embedding")(x)
    direction = layers.UnitNormalization()(embedding)  # the task compares cosines, too
    people = layers.Dense(PEOPLE, use_bias=False)(layers.Rescaling(SCALE)(direction))
    training = keras.Model(inputs, people)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile(keras.optimizers.Adam(2e-3), loss)
    pictures = _drawn_pictures(size)
    of = np.repeat(np.arange(PEOPLE), EACH)
    training.fit(pictures, of, batch_size=32, epochs=epochs, verbose=0)
    return keras.Model(inputs, embedding)


def _drawn_pictures(size: int) -> "NDArray[np.float32]":
    """Return the pictures (people * each, size, size, 3), person by person."""
    import numpy as np

    from stages.faces import _drawn

    every = [
        _drawn.face(person, number, size, DRAWN_SEED)
        for person in range(PEOPLE)
        for number in range(EACH)
    ]
    return np.stack(every).astype(np.float32)
