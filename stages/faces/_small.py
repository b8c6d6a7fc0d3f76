"""A small network for the sample: it is trained on drawn faces, and recognises only such."""

from typing import TYPE_CHECKING, Any

from stages.tasks.face_input import FaceInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUT = FaceInput(64, 64)
THRESHOLD = 0.58  # cosine, on the sample
DRAWN_SEED = 1_000_003  # no sample has it: the drawn people of training are in no sample
PEOPLE, EACH = 400, 5  # drawn for training
SCALE = 16  # of the cosines before the softmax
WIDTHS = (16, 32, 64, 64)
SIZE = 48  # of the embedding


def trained(epochs: int) -> Any:
    """Return a network that was trained to tell drawn people apart, without its last layer: float32
    (1, 64, 64, 3) of 0 to 255 -> (1, 48).
    """
    import keras
    import numpy as np
    from keras import layers

    inputs = keras.Input((INPUT.height, INPUT.width, 3), name="picture")
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
    of = np.repeat(np.arange(PEOPLE), EACH)
    training.fit(_pictures(), of, batch_size=32, epochs=epochs, verbose=0)
    return keras.Model(inputs, embedding)


def _pictures() -> "NDArray[np.float32]":
    """Return the pictures (people * each, side, side, 3), person by person."""
    import numpy as np

    from stages.faces import _drawn

    every = [
        _drawn.face(person, number, INPUT.height, DRAWN_SEED)
        for person in range(PEOPLE)
        for number in range(EACH)
    ]
    return np.stack(every).astype(np.float32)
