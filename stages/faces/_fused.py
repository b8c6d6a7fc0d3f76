"""Joins HSE FaceRes and dlib's ResNet into one network, whose embedding is both embeddings side by side.

They make different mistakes: together they have fewer than either alone. Both see the same picture; dlib's
network sees its middle.
"""

from typing import TYPE_CHECKING, Any

from stages.faces import _mobilenet, _resnet
from stages.tasks.face_input import FaceInput

if TYPE_CHECKING:
    from stages.faces._weights import Weights

_DLIB = _resnet.INPUT
SIDE = 188  # in pixels; dlib's face in the middle then has the scale of _mobilenet.INPUT
INPUT = FaceInput(SIDE, SIDE, scale=_DLIB.height / SIDE)
THRESHOLD = 0.88  # cosine that names less than 1 % of strangers, on ORL's validation part
# dlib's embeddings have a twelfth of FaceRes's length. They count twice as much, which has the fewest errors
# on the Yale faces and on LFW.
FACTOR = 24.0
NAMES = _mobilenet.NAMES | _resnet.NAMES


def build(weights: "Weights") -> Any:
    """Return the network, float32 (1, 188, 188, 3) of 0 to 255 -> (1, 1152); KeyError: other weights."""
    import keras
    from keras import layers

    inputs = keras.Input((INPUT.height, INPUT.width, 3), name="picture")
    left, top = (INPUT.points - _DLIB.points).mean(0).round().astype(int).tolist()
    edges = (top, SIDE - _DLIB.height - top), (left, SIDE - _DLIB.width - left)
    middle = layers.Cropping2D(edges)(inputs)
    both = [
        _mobilenet.embedding(inputs, weights),
        _resnet.embedding(middle, weights, FACTOR),
    ]
    return keras.Model(inputs, layers.Concatenate()(both))
