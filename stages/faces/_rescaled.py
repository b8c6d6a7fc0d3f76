"""Changes a network so that 256 levels for each tensor are enough, without changing its answers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.faces import _graph
from stages.faces._graph import ADD, CONVOLUTION, DEPTHWISE, JOINING, RELU, Graph, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 20  # all tensors of a batch are kept in memory
# How much the ranges of values count, compared with those of weights.
BALANCE = 0.5
LEAST = 1e-3  # of the widest channel: a channel without values may have some in other pictures


def equalised(graph: Graph, pictures: "NDArray[np.float32]") -> Graph:
    """Return the network with similar ranges in all channels between a depthwise convolution and the next.

    A tensor has one scale for all channels, but some of BlazeFace's have a range a hundred times that of
    others. Nothing lies between the two convolutions, so that dividing a channel of the first kernel, and
    multiplying it in the second, changes no answer. Source: Nagel et al., Data-Free Quantization Through
    Weight Equalization and Bias Correction, 2019.
    """
    reach = _reach(graph, pictures)
    changed = {step.result: step for step in graph.steps}
    for step in graph.steps:
        users = graph.users(step.result)
        if step.kind != DEPTHWISE or [one.kind for one in users] != [CONVOLUTION]:
            continue
        factor = _factor(reach[step.result], users[0].constants[0])
        kernel, bias = step.constants
        changed[step.result] = replace(step, constants=(kernel / factor[:, None], bias / factor))
        kernel, bias = users[0].constants
        changed[users[0].result] = replace(users[0], constants=(kernel * factor[:, None], bias))
    return replace(graph, steps=tuple(changed.values()))


def floored(graph: Graph, output: str, floor: float) -> Graph:
    """Return the network with an output that has no values below `floor`, a negative number.

    Values far below the ones that count would take up most of the output's levels. A ReLU that the
    convolution absorbs cuts them off, since a clamp behind it would get values that are already rounded.
    """
    end = graph.results[output]
    heads = _heads(graph, end)
    steps = [_raised(step, floor) if step.result in heads else step for step in graph.steps]
    last = next(step for step in steps if step.result == end)
    result = 1 + max(step.result for step in steps)
    shift = np.array(floor, np.float32)
    steps.append(
        Step(kind=ADD, sources=(end,), result=result, shape=last.shape, constants=(shift,))
    )
    return replace(graph, steps=tuple(steps), results={**graph.results, output: result})


def _reach(graph: Graph, pictures: "NDArray[np.float32]") -> "dict[int, NDArray[Any]]":
    """Return the largest absolute value in each channel of the depthwise convolutions' results."""
    found: dict[int, NDArray[Any]] = {}
    for at in range(0, len(pictures), BATCH):
        tensors = _graph.run(graph, pictures[at : at + BATCH])
        for step in graph.steps:
            if step.kind == DEPTHWISE:
                here = np.abs(tensors[step.result]).max((0, 1, 2))
                found[step.result] = np.maximum(found.get(step.result, 0), here)
    return found


def _factor(reach: "NDArray[Any]", kernel: "NDArray[Any]") -> "NDArray[np.float32]":
    """Return by what to divide each channel (channels,) before a convolution with this kernel."""
    of_output = np.abs(kernel).max((0, 1, 2))  # each output of the kernel has its own scale
    share = np.abs(kernel / of_output).max((0, 1, 3))
    factor = _bounded(reach) ** BALANCE / _bounded(share) ** (1 - BALANCE)
    return factor.astype(np.float32)  # type: ignore[no-any-return]


def _bounded(values: "NDArray[Any]") -> "NDArray[Any]":
    return np.maximum(values, max(LEAST * values.max(), 1e-12))  # type: ignore[no-any-return]


def _heads(graph: Graph, end: int) -> set[int]:
    """Return the results of the convolutions that an output is put together from."""
    makers = {step.result: step for step in graph.steps}
    waiting, found = [end], set()
    while waiting:
        step = makers[waiting.pop()]
        if step.kind in JOINING:
            waiting += step.sources
        else:
            found.add(step.result)
    return found


def _raised(step: Step, floor: float) -> Step:
    """Return a convolution with an absorbed ReLU, whose results are higher by -floor."""
    kernel, bias = step.constants
    options = {**step.options, "fused_activation": RELU}
    return replace(step, constants=(kernel, bias - np.float32(floor)), options=options)
