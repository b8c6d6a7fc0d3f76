"""Computes how many bytes of parameters of a mapped graph are cached on the Edge TPU, and how many are
sent for each inference.

The layout was derived from compiled files by searching them for their weights: a multiply step
processes 4 inputs for up to 64 outputs. docs/edge-tpu.md states its accuracy. It does not cover
instructions.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from stages.edgetpu._rules import is_whole
from stages.tflite.schema import ABSENT, Operator, Subgraph, Tensor

LINE = 64  # bytes; everything is aligned to it
STEP = 4  # inputs per multiply step
LANES = 64  # outputs per multiply step; fewer are padded to 16, more to a multiple of 64
TILES = 16
PICTURES_CACHE = (
    7 * 2**20
)  # of 8 MiB; published logs of full caches show 6.74 to 7.16 MiB, since activations need some space
VECTORS_CACHE = int(7.85 * 2**20)  # if nothing is wider than a vector: between 7.81 and 7.93 MiB
MOST_INPUTS = (
    7_500  # of a fully connected layer: 6,912 are cached, 8,112 never are, even if there is space
)
MOST_PIECES = 32  # with 22 pieces, each has a matrix; with 4,096, none has
COARSE = 0.5  # scale of softmax's input: with up to 0.27 it has tables, from 0.94 on it has none
_ELEMENTWISE = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")


@dataclass(frozen=True, slots=True)
class Block:
    """The parameters of one operator."""

    size_bytes: int
    is_cacheable: bool = True


def parameter_bytes(graph: Subgraph, mapped: Collection[int]) -> tuple[int, int]:
    """Return the bytes cached and the bytes streamed for the operators at these indexes: whole blocks are
    cached, the largest first, while there is space.
    """
    sent = _sent(graph)
    blocks = [_block(graph, graph.operators[at], sent) for at in mapped]
    room, cached = _room(graph, mapped), 0
    for block in sorted(blocks, key=lambda block: -block.size_bytes):
        if block.is_cacheable and cached + block.size_bytes <= room:
            cached += block.size_bytes
    return cached, sum(block.size_bytes for block in blocks) - cached


def _room(graph: Subgraph, mapped: Collection[int]) -> int:
    made = (graph.tensors[place] for at in mapped for place in graph.operators[at].outputs)
    return (
        VECTORS_CACHE
        if all(size <= 1 for tensor in made for size in tensor.shape[:-1])
        else PICTURES_CACHE
    )


def _sent(graph: Subgraph) -> set[int]:
    """Return the tensors that are sent to the Edge TPU in one piece, not spread over its tiles."""
    sent = set(graph.inputs)
    for operator in graph.operators:
        if operator.type == "QUANTIZE" and sent.issuperset(operator.inputs):
            sent.update(operator.outputs)
    return sent


def _block(graph: Subgraph, operator: Operator, sent: set[int]) -> Block:
    size = _SIZES.get(operator.type)
    if (
        size is None
        or not is_whole(operator)
        or (operator.type == "RESHAPE" and operator.inputs[0] in sent)
    ):
        return Block(0)
    inputs = [graph.tensors[place] for place in operator.inputs if place != ABSENT]
    return size(operator, inputs, graph.tensors[operator.outputs[0]])


def _convolution(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Each step at a kernel position covers 4 inputs for all its outputs: a header, then steps x lanes x
    4 bytes.
    """
    weights = inputs[1]
    if len(weights.shape) != 4:
        return Block(0)
    outputs, height, width, depth = weights.shape
    if outputs == depth == 1:
        return _depthwise_block(1, height * width, _header(inputs))
    few = outputs <= STEP  # they share one step for the whole image
    return _dense_block(
        STEP if few else _lanes(outputs), height * width * _steps(depth), _header(inputs)
    )


def _depthwise(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """A depthwise kernel occupies the diagonal of its 4 x 4 steps.

    A kernel that adds channels is an ordinary convolution.
    """
    weights, depth = inputs[1], inputs[0].shape[-1] if inputs[0].shape else 0
    if len(weights.shape) != 4:
        return Block(0)
    _, height, width, outputs = weights.shape
    if outputs != depth:
        return _dense_block(_lanes(outputs), height * width * _steps(depth), _header(inputs))
    return _depthwise_block(outputs, height * width, _header(inputs))


def _fully_connected(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    if len(inputs[1].shape) != 2:
        return Block(0)
    outputs, depth = inputs[1].shape
    block = _dense_block(_lanes(outputs), _steps(depth), _header(inputs))
    return Block(block.size_bytes, is_cacheable=depth < MOST_INPUTS)


def _transpose_conv(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Its inputs are the output's shape, the weights, the data, the bias."""
    return _convolution(operator, [inputs[2], inputs[1], *inputs[3:]], output)


def _elementwise(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """A constant operand is sent for each inference."""
    return Block(
        sum(_operand(tensor, output) for tensor in inputs if tensor.is_constant), is_cacheable=False
    )


def _operand(tensor: Tensor, output: Tensor) -> int:
    """A single number is part of the instructions; a vector in depth is a table with 4 values per line.

    Other data are sent as whole rows of pixels.
    """
    height, width, depth = (1, 1, 1, *tensor.shape)[-3:]
    if height == width == 1:
        return LINE * _steps(depth) if depth > 1 else 0
    across = (1, 1, 1, *output.shape)[-2]
    return _lines(height * max(width, across) * (_up(depth, STEP) if depth > 1 else 1))


def _pad(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Padding in depth is a convolution with an identity matrix."""
    if not inputs[0].shape or not output.shape or inputs[0].shape[-1] == output.shape[-1]:
        return Block(0)
    return _dense_block(_lanes(output.shape[-1]), _steps(output.shape[-1]), 0)


def _joining(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Channels that do not begin at a step are moved there by a small matrix.

    Of several vectors, each has its own matrix.
    """
    depths = [
        tensor.shape[-1] for tensor in (*inputs, output) if tensor.shape and not tensor.is_constant
    ]
    if not any(depth % STEP for depth in depths):
        return Block(0)
    return Block(LINE * (len(inputs) + 1 if len(output.shape) == 2 else 1))


def _prelu(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Its slopes are sent like any other operand."""
    return Block(_operand(inputs[1], output), is_cacheable=False)


def _reshape(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """If pieces that do not end at a step are joined in depth, a matrix moves each to its position."""
    depth, together = inputs[0].shape[-1:], output.shape[-1:]
    if not depth or not together or depth[0] % STEP == 0 or together[0] % depth[0] != 0:
        return Block(0)
    pieces = together[0] // depth[0]
    if pieces > MOST_PIECES:
        return Block(LINE * (TILES + 1))
    return Block(pieces * STEP * _steps(depth[0]) * _lanes(together[0]) + LINE if pieces > 1 else 0)


def _transpose(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """If channels move to the front, a matrix per row moves its positions into depth."""
    if len(inputs) < 2 or inputs[1].integers()[-3:] not in ((2, 0, 1), (3, 1, 2)):
        return Block(0)
    _, height, width = (1, 1, 1, *output.shape)[-3:]
    return Block(height * STEP * _steps(width) * _lanes(width) + LINE)


def _softmax(operator: Operator, inputs: list[Tensor], output: Tensor) -> Block:
    """Inputs with a fine scale need three tables, with one entry per element of a row."""
    if not output.shape or not inputs[0].scales or inputs[0].scales[0] >= COARSE:
        return Block(0)
    return Block(LINE * 3 * _steps(output.shape[-1]))


def _dense_block(lanes: int, steps: int, header: int) -> Block:
    return Block(_lines(lanes * (header + STEP * steps)))


def _depthwise_block(outputs: int, places: int, header: int) -> Block:
    return Block(_lines(STEP * _steps(outputs) * (header + STEP * places)))


def _header(inputs: list[Tensor]) -> int:
    """Return the bytes before an output's weights: a bias, and its scale and zero point if it is quantised
    per channel.

    An all-zero bias and a uniform scale are left out.
    """
    weights, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    has_bias = bias is not None and bias.data[: 2**16].tobytes().strip(b"\0") != b""
    if not weights.is_per_channel:
        return 4 * has_bias
    return 4 * has_bias + (8 if len(set(weights.scales[: 2**10])) > 1 else 4)


def _lanes(outputs: int) -> int:
    return _up(outputs, 16 if outputs <= LANES else LANES)


def _steps(depth: int) -> int:
    return _up(depth, STEP) // STEP


def _lines(size_bytes: int) -> int:
    return _up(size_bytes, LINE)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


_SIZES: dict[str, Callable[[Operator, list[Tensor], Tensor], Block]] = {
    "CONCATENATION": _joining,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "SPLIT": _joining,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
}
