"""A published network of convolutions as data: read from a float `.tflite` file, run by TensorFlow, and
exported for conversion. It knows the operators of BlazeFace.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from engine.stage import StageError
from stages.tflite.naming import names_of
from stages.tflite.schema import Operator, Subgraph, read_model
from stages.training.tflite_weights import constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONVOLUTION, DEPTHWISE, ADD = "CONV_2D", "DEPTHWISE_CONV_2D", "ADD"
JOINING = ("CONCATENATION", "RESHAPE")  # they only arrange values
RELU = 1
INPUT = "picture"
_ACTIVATIONS = {0: tf.identity, RELU: tf.nn.relu}
_PADDINGS = ("SAME", "VALID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operation of the network; tensors are identified by number."""

    kind: str
    sources: tuple[int, ...]
    result: int
    shape: tuple[int, ...]  # of the result
    # kernel (h, w, inputs, outputs), or depthwise (h, w, channels, 1), and bias (outputs,)
    constants: "tuple[NDArray[np.float32], ...]" = ()
    options: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """The network's steps in order, its input, and its outputs by name."""

    steps: tuple[Step, ...]
    source: int
    results: Mapping[str, int]

    def users(self, place: int) -> list[Step]:
        """Return the steps that read a tensor."""
        return [step for step in self.steps if place in step.sources]


def read(path: Path) -> Graph:
    """Return the network in a file; StageError: it has an operator that BlazeFace does not have."""
    model = read_model(path)
    graph, names = model.subgraphs[0], names_of(model)
    known = {at: constant(graph, at) for at, one in enumerate(graph.tensors) if one.is_constant}
    steps = []
    for operator in graph.operators:
        if operator.type == "DEQUANTIZE" and operator.inputs[0] in known:
            known[operator.outputs[0]] = known[operator.inputs[0]]
        elif operator.type in _OPERATIONS and _activation(operator) in _ACTIVATIONS:
            steps.append(_step(operator, graph, known))
        else:
            raise StageError(
                f"{path.name} has the operator {operator.type}, which BlazeFace does not have: use another "
                "detector, or a folder with the quantised model as int8.tflite"
            )
    return Graph(
        tuple(steps), graph.inputs[0], dict(zip(names.outputs, graph.outputs, strict=True))
    )


def run(graph: Graph, pictures: Any) -> dict[int, Any]:
    """Return all tensors of the network for pictures (n, h, w, 3) in its own range of values."""
    tensors = {graph.source: pictures}
    for step in graph.steps:
        values = _OPERATIONS[step.kind](step, *(tensors[one] for one in step.sources))
        tensors[step.result] = _ACTIVATIONS[step.options.get("fused_activation", 0)](values)
    return tensors


def export(graph: Graph, side: int, to: Path) -> None:
    """Write a SavedModel for one picture (1, side, side, 3)."""

    @tf.function(input_signature=[tf.TensorSpec((1, side, side, 3), tf.float32, INPUT)])  # type: ignore
    def answer(picture: Any) -> dict[str, Any]:
        tensors = run(graph, picture)
        return {name: tensors[place] for name, place in graph.results.items()}

    module = tf.Module()
    module.answer = answer
    tf.saved_model.save(module, str(to), signatures=answer)


def _activation(operator: Operator) -> int:
    return operator.options.get("fused_activation", 0)


def _step(operator: Operator, graph: Subgraph, known: "Mapping[int, NDArray[np.float32]]") -> Step:
    constants = [known[place] for place in operator.inputs if place in known]
    if operator.type in (CONVOLUTION, DEPTHWISE):
        constants[0] = np.moveaxis(constants[0], 0, -1)
    return Step(
        kind=operator.type,
        sources=tuple(place for place in operator.inputs if place not in known),
        result=operator.outputs[0],
        shape=graph.tensors[operator.outputs[0]].shape,
        constants=tuple(constants),
        options=operator.options,
    )


def _convolved(step: Step, x: Any) -> Any:
    kernel, bias = step.constants
    strides = step.options["stride_h"], step.options["stride_w"]
    return tf.nn.conv2d(x, kernel, strides, _padding(step)) + bias


def _convolved_by_channel(step: Step, x: Any) -> Any:
    kernel, bias = step.constants
    strides = (1, step.options["stride_h"], step.options["stride_w"], 1)
    return tf.nn.depthwise_conv2d(x, kernel, strides, _padding(step)) + bias


def _pooled(step: Step, x: Any) -> Any:
    window = step.options["filter_height"], step.options["filter_width"]
    strides = step.options["stride_h"], step.options["stride_w"]
    return tf.nn.max_pool2d(x, window, strides, _padding(step))


def _padding(step: Step) -> str:
    return _PADDINGS[step.options["padding"]]


_OPERATIONS: dict[str, Callable[..., Any]] = {
    CONVOLUTION: _convolved,
    DEPTHWISE: _convolved_by_channel,
    ADD: lambda step, *x: sum(step.constants, sum(x)),
    "RELU": lambda step, x: tf.nn.relu(x),
    "MAX_POOL_2D": _pooled,
    "PAD": lambda step, x: tf.pad(x, step.constants[0].astype(int)),
    "RESHAPE": lambda step, x: tf.reshape(x, (-1, *step.shape[1:])),
    "CONCATENATION": lambda step, *x: tf.concat(x, step.options["axis"]),
}
