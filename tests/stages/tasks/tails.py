"""Runs the last operators of a `.tflite` network in numpy, with the file's roundings or without them."""

import numpy as np

from stages.training.tflite_weights import constant

LIMITS = {"INT8": (-128, 127), "UINT8": (0, 255)}


def run(graph, known, rounds):
    """Return a subgraph's first output, computed from some of its inner tensors.

    known: real values by the tensor's index; rounds: whether each result is rounded to the numbers of its
    tensor, as the file's runtime does
    """
    values = dict(known)
    for at, tensor in enumerate(graph.tensors):
        if tensor.is_constant:
            values[at] = constant(graph, at)
    for operator in graph.operators:
        if all(place in values for place in operator.inputs) and operator.outputs[0] not in values:
            results = _OPERATIONS[operator.type](operator, *(values[at] for at in operator.inputs))
            for place, result in zip(operator.outputs, results, strict=True):
                tensor = graph.tensors[place]
                values[place] = rounded(result, tensor) if rounds else result
    return values[graph.outputs[0]]


def rounded(values, tensor):
    """Return the values that a tensor of 8 bits can represent."""
    if tensor.type not in LIMITS:
        return values
    (scale,), (zero,) = tensor.scales, tensor.zero_points
    numbers = np.clip(np.round(values / scale) + zero, *LIMITS[tensor.type])
    return (numbers - zero) * scale


def _gathered(operator, values, places):
    return [values[tuple(np.moveaxis(places.astype(int), -1, 0))]]


_OPERATIONS = {
    "ADD": lambda op, a, b: [a + b],
    "ARG_MAX": lambda op, x, axis: [x.argmax(int(axis))],
    "CAST": lambda op, x: [x],
    "CONCATENATION": lambda op, *x: [np.concatenate(x, op.options["axis"])],
    "DEQUANTIZE": lambda op, x: [x],
    "DIV": lambda op, a, b: [a / b],
    "FLOOR_DIV": lambda op, a, b: [a // b],
    "GATHER_ND": _gathered,
    "MUL": lambda op, a, b: [a * b],
    "PACK": lambda op, *x: [np.stack(x, op.options["axis"])],
    "QUANTIZE": lambda op, x: [x],
    "RESHAPE": lambda op, x, shape: [x.reshape(shape.astype(int))],
    "SQRT": lambda op, x: [np.sqrt(x)],
    "SUB": lambda op, a, b: [a - b],
    "UNPACK": lambda op, x: list(np.moveaxis(x, -1, 0)),
}
