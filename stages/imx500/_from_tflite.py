"""Rebuilds the convolutional part of a published `.tflite` network in Keras, with its weights dequantised.

It goes from the model's input to the first operators that the camera's compiler lacks, such as the
decoding of boxes or keypoints; the tensors that these operators read are the outputs. Works with Keras
2.15, which the compiler needs, and with Keras 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.stage import StageError
from stages.imx500._tflite_layers import LAYERS, Constants, Scaled, materialised
from stages.tasks.keypoints import heads
from stages.tflite.naming import names_of
from stages.tflite.schema import ABSENT, Model, Operator, Subgraph, read_model
from stages.training.tflite_weights import TYPES, constant

if TYPE_CHECKING:
    import keras

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
ALIASES = ("CAST", "DEQUANTIZE", "QUANTIZE")  # they change the form of numbers, not their values
ACTIVATIONS = ("LOGISTIC", "RELU", "RELU6", "SOFTMAX", "TANH")
SIGNED_PIXEL = 128  # a model with an int8 input gets pixels minus this number


@dataclass(frozen=True)
class Rebuilt:
    """A Keras network, pixels 0..255 (n, h, w, 3) -> its outputs in order.

    outputs: the model's own names of its outputs; where the network ends earlier, the name of the last
             convolution's scope, such as kpt_heatmap_0
    places:  indexes of the same tensors in the file
    left:    types of the file's operators that are not in the network, each once
    is_whole: the outputs are the model's own
    """

    model: keras.Model
    outputs: tuple[str, ...]
    places: tuple[int, ...]
    left: tuple[str, ...]
    is_whole: bool


def rebuilt(path: Path, picture: Mapping[str, float] | None = None) -> Rebuilt:
    """Return the convolutional part of a network whose only input is a picture.

    picture: mean and deviation of a pixel, for a model with a float input; one with an integer input
             states its own

    StageError: the input is no picture, or the network does not begin with a known operator.
    """
    import keras

    model = read_model(path)
    graph = model.subgraphs[0]
    built = _Built(graph, _input(graph, path.name, picture))
    left = [one for one in graph.operators if not built.add(one)]
    places = built.ends(left)
    if not places:
        raise StageError(
            f"{path.name} cannot be rebuilt in Keras: it begins with the operator "
            f"{graph.operators[0].type}, which is none of {', '.join(sorted(LAYERS))}"
        )
    outputs = [materialised(built.values[place]) for place in places]
    network = keras.Model(built.source, outputs)
    names = _names(model, built, places)
    kinds = tuple(sorted({one.type for one in left}))
    is_whole = all(place in places for place in map(built.original, graph.outputs))
    return Rebuilt(network, names, tuple(places), kinds, is_whole)


def undecoded(found: Rebuilt) -> str | None:
    """Return why no task can read the outputs of a network that ends early; None if one can."""
    if found.is_whole or heads.are_heads(dict.fromkeys(found.outputs)):
        return None
    return (
        f"the camera cannot run its last operators ({', '.join(found.left)}), and no task decodes the "
        f"outputs before them: {', '.join(found.outputs)}"
    )


class _Built:
    """The tensors of a subgraph that exist in Keras, and its constants."""

    def __init__(self, graph: Subgraph, first: Scaled) -> None:
        self.graph, self.source = graph, first.x
        self.values: dict[int, Any] = {graph.inputs[0]: first}
        self.makers: dict[int, Operator] = {}
        self.same_as: dict[int, int] = {}  # the result of a QUANTIZE -> its input
        self.constants: Constants = {
            at: constant(graph, at)
            for at, one in enumerate(graph.tensors)
            if one.is_constant and one.type in TYPES
        }

    def add(self, operator: Operator) -> bool:
        """Return whether the operator is a part of the network, with its result if it is."""
        if any(place not in self.values for place in self._read(operator)):
            return False
        place = operator.outputs[0]
        if operator.type in ALIASES:
            self._alias(operator.inputs[0], place)
            return True
        make = LAYERS.get(operator.type)
        result = make(operator, self.graph, self.values, self.constants) if make else None
        if result is None:
            return False
        self.values[place], self.makers[place] = result, operator
        return True

    def ends(self, left: list[Operator]) -> list[int]:
        """Return the tensors that leave the network, each once: the model's outputs, then others."""
        others = sorted(self.original(place) for one in left for place in one.inputs)
        leaving = [*map(self.original, self.graph.outputs), *others]
        return list(dict.fromkeys(place for place in leaving if place in self.makers))

    def original(self, place: int) -> int:
        """Return the tensor of which this one is only another form."""
        while place in self.same_as:
            place = self.same_as[place]
        return place

    def _read(self, operator: Operator) -> list[int]:
        """Return the inputs that are neither constants nor absent."""
        inputs = (place for place in operator.inputs if place != ABSENT)
        return [place for place in inputs if place not in self.constants]

    def _alias(self, place: int, to: int) -> None:
        if place in self.constants:
            self.constants[to] = self.constants[place]
        else:
            self.values[to], self.same_as[to] = self.values[place], place


def _input(graph: Subgraph, name: str, picture: Mapping[str, float] | None) -> Scaled:
    """Return the input, and how its values follow from pixels."""
    import keras

    (place, *others) = graph.inputs
    tensor = graph.tensors[place]
    if others or len(tensor.shape) != 4 or tensor.shape[-1] != 3:
        raise StageError(
            f"{name} cannot run in the camera, which gives a network one RGB picture: its inputs are "
            f"{', '.join(str(list(graph.tensors[at].shape)) for at in graph.inputs)}"
        )
    x = keras.Input(tensor.shape[1:], name="picture")
    if tensor.scales:
        zero = tensor.zero_points[0] + (SIGNED_PIXEL if tensor.type == "INT8" else 0)
        return Scaled(x, tensor.scales[0], -zero * tensor.scales[0])
    if picture and tensor.type == "FLOAT32":
        return Scaled(x, 1 / picture["deviation"], -picture["mean"] / picture["deviation"])
    return Scaled(x)


def _names(model: Model, built: _Built, places: list[int]) -> tuple[str, ...]:
    graph = model.subgraphs[0]
    own = zip(map(built.original, graph.outputs), names_of(model).outputs, strict=True)
    named = dict(own)
    full = [graph.tensors[_convolution(built, place)].name for place in places]
    short = [name.partition(";")[0].partition("/")[0] for name in full]
    chosen = short if len(set(short)) == len(short) else full
    return tuple(named.get(place, name) for place, name in zip(places, chosen, strict=True))


def _convolution(built: _Built, place: int) -> int:
    """Return the result of the convolution below an activation, or the tensor itself."""
    below = place
    while below in built.makers and built.makers[below].type in ACTIVATIONS:
        below = built.original(built.makers[below].inputs[0])
    maker = built.makers.get(below)
    return below if maker and maker.type in WEIGHTED else place
