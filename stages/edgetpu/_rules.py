"""Decides for one operator whether the Edge TPU's compiler 16 would map it, and if not, returns the
reason in the compiler's words.

The rules come from the table of supported operators and their limits at
coral.ai/docs/edgetpu/models-intro (runtime 14) and, if the table only says "depending on size", from
compiled models. Neighbours of an operator do not matter here.
"""

import math
from collections.abc import Callable

from stages.coral.readable import READABLE
from stages.tflite.schema import ABSENT, Operator, Subgraph, Tensor

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
UNSPECIFIED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
DATA_TYPE = "Operation is working on an unsupported data type"
NOT_SUPPORTED = "Operation not supported"
VERSION = "Operation version not supported"
NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
DYNAMIC = "Operation is working on a dynamic-sized tensor"  # the compiler refuses the whole model

SUPPORTED = frozenset(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
    L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX
    REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX
    SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
""".split()  # noqa: SIM905
)
# Inputs that are parameters: they must be constants, and their type need not be 8-bit.
PARAMETERS: dict[str, tuple[int, ...]] = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (0, 1, 3),
    "EXPAND_DIMS": (1,),
    "MEAN": (1,),
    "SUM": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "PAD": (1,),
    "PRELU": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "SPLIT": (0,),
    "STRIDED_SLICE": (1, 2, 3),
    "TILE": (1,),
    "TRANSPOSE": (1,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(range(1, 18)),
}
# The least number of inputs of an operator, so that one that lacks inputs is not mapped; the default is one.
_LEAST_INPUTS = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "TRANSPOSE_CONV": 3,
    "PRELU": 2,
    "SPLIT": 2,
    "STRIDED_SLICE": 4,
}
# Newer versions came with TensorFlow 2.6: the compiler reads them but leaves them to the CPU. Observed for
# ADD, assumed for the others.
_NEWEST = {"ADD": 3, "MUL": 4, "PAD": 3, "STRIDED_SLICE": 5}
_LSTM_STATES = (18, 19)  # 8-bit and 16-bit variables that stay on the chip
_BYTE_TYPES = ("INT8", "UINT8")
TILE_BYTES = (
    192 * 2**10
)  # for activations: the maximum in all compiled models (`used_narrow_memory_bytes_per_tile`)
_TILES = 4  # in x, and the same number in y
_WINDOWED = (
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "MAX_POOL_2D",
    "MEAN",
    "PAD",
    "TRANSPOSE_CONV",
)  # processed piece by piece
MOST_SOFTMAX = 2**14  # documented as 16,000; 16,384 maps
MOST_SCALING = 4  # 2 is mapped, 15.5 and 33 are not
MOST_ZEROS = 2**16  # bytes; a malicious graph may use one long constant in every operator
MOST_MEAN = 2**14  # positions: 33 x 33 is mapped, 256 x 128 is not (google-coral/edgetpu#461)


def own_reason(graph: Subgraph, operator: Operator) -> str | None:
    """Return why this operator cannot run on the Edge TPU, whatever its position, or None."""
    tensors = _data(graph, operator)
    if operator.type == "QUANTIZE" and tensors and tensors[0].type not in _BYTE_TYPES:
        return UNSPECIFIED
    if any(tensor.type not in _BYTE_TYPES for tensor in tensors):
        return DATA_TYPE
    if operator.type not in SUPPORTED:
        return NOT_SUPPORTED
    if operator.version > _NEWEST.get(operator.type, READABLE[operator.type]):
        return VERSION
    if any(not graph.tensors[place].is_constant for place in _parameters(operator)):
        return NOT_CONSTANT
    if any(size < 0 for tensor in tensors for size in tensor.shape):
        return DYNAMIC
    if any(size > 1 for tensor in tensors for size in tensor.shape[:-3]):
        return RANK
    return UNSPECIFIED if _is_limited(graph, operator) else None


def is_whole(operator: Operator) -> bool:
    """Return whether the operator has the inputs that its type requires, and an output."""
    least = _LEAST_INPUTS.get(operator.type, 1)
    return (
        len(operator.inputs) >= least
        and ABSENT not in operator.inputs[:least]
        and bool(operator.outputs)
    )


def _parameters(operator: Operator) -> list[int]:
    places = PARAMETERS.get(operator.type, ())
    return [
        operator.inputs[at]
        for at in places
        if at < len(operator.inputs) and operator.inputs[at] != ABSENT
    ]


def _data(graph: Subgraph, operator: Operator) -> list[Tensor]:
    """Return the operator's data tensors: all except its parameters and an LSTM's states."""
    known = PARAMETERS.get(operator.type, ()) + (
        _LSTM_STATES if operator.type == "UNIDIRECTIONAL_SEQUENCE_LSTM" else ()
    )
    inputs = [
        place for at, place in enumerate(operator.inputs) if at not in known and place != ABSENT
    ]
    return [graph.tensors[place] for place in (*inputs, *operator.outputs)]


def _is_limited(graph: Subgraph, operator: Operator) -> bool:
    if not is_whole(operator):
        return True
    inputs = [graph.tensors[place] for place in operator.inputs if place != ABSENT]
    if operator.type not in _WINDOWED and any(
        _is_long_row(tensor) for tensor in _data(graph, operator)
    ):
        return True
    check = _LIMITS.get(operator.type)
    return check is not None and check(operator, inputs, graph.tensors[operator.outputs[0]])


def _is_long_row(tensor: Tensor) -> bool:
    """Return whether it is a single row that does not fit on its tile; several rows are split into pieces."""
    return math.prod(tensor.shape[-3:-2]) == 1 and _tile_bytes(tensor) > TILE_BYTES


def _tile_bytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor on one of the 4 x 4 tiles: its part of the image, with channels in
    steps of 4.

    A single row is not spread over tiles.
    """
    height, width, depth = (1, 1, 1, *tensor.shape)[-3:]
    if height == 1:
        return width * _steps(depth, 4) * 4
    return _steps(height, _TILES) * _steps(width, _TILES) * _steps(depth, 4) * 4


def _steps(size: int, step: int) -> int:
    return -(-size // step)


def _has_activation(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return operator.options["fused_activation"] != 0


def _concatenation(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """A constant input must be all zeros, next to one other input: padding."""
    constants = [tensor for tensor in inputs if tensor.is_constant]
    zeros = all(_is_zero(tensor) for tensor in constants)
    return _has_activation(operator, inputs, output) or (
        bool(constants) and (len(inputs) != 2 or not zeros)
    )


def _is_zero(tensor: Tensor) -> bool:
    """Return whether it is a constant of zeros; a huge constant is not checked."""
    zero = bytes([(tensor.zero_points or (0,))[0] % 256])
    return len(tensor.data) <= MOST_ZEROS and tensor.data.tobytes() == zero * len(tensor.data)


def _convolution(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """The dilation must be equal in x and y, unless the kernel is 1 wide or high, where it has no effect."""
    height, width = inputs[1].shape[1:3] if len(inputs[1].shape) == 4 else (0, 0)
    across, down = operator.options["dilation_w"], operator.options["dilation_h"]
    return height > 1 and width > 1 and across != down


def _fully_connected(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return operator.options["weights_format"] != 0 or not _is_vector(output)


def _mean(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    shape, axes = inputs[0].shape, _axes(inputs)
    if not axes or not shape:
        return True
    positions = 1
    for axis in axes - {len(shape) - 1}:
        positions *= shape[axis]
    return (
        _reduces_batch(operator, inputs, output)
        or positions > MOST_MEAN
        or (len(shape) - 1 in axes and shape[-1] % 4 != 0)
    )


def _reduces_batch(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return 0 in _axes(inputs)


def _pack(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return operator.options["axis"] % max(len(output.shape), 1) == 0


def _pad(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return len(inputs[0].shape) > 3 and inputs[0].shape[0] != output.shape[0]


def _prelu(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return not _is_vector(inputs[1])


def _resize(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    before, after = inputs[0].shape, output.shape
    if len(before) != 4 or len(after) != 4 or 0 in before:
        return True
    return max(after[1] / before[1], after[2] / before[2]) > MOST_SCALING or _moving(
        operator, inputs, output
    )


def _moving(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """A tensor that is moved between tiles as a whole needs space for two copies."""
    return _tile_bytes(inputs[0]) + _tile_bytes(output) > TILE_BYTES


def _transpose(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """A transposition is done on one tile."""
    return inputs[0].elements + output.elements > TILE_BYTES


def _softmax(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    return bool(output.shape) and output.shape[-1] > MOST_SOFTMAX


def _split(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """The outermost dimension cannot be split; a split into one piece has no effect."""
    shape = inputs[1].shape
    return (
        len(shape) > 2
        and output.shape != shape
        and 0 in {axis % len(shape) for axis in inputs[0].integers()}
    )


def _strided_slice(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    masks = operator.options["ellipsis_mask"] | operator.options["new_axis_mask"]
    return masks != 0 or any(stride != 1 for stride in inputs[3].integers())


def _tile(operator: Operator, inputs: list[Tensor], output: Tensor) -> bool:
    """Only dimensions with one element may be repeated: a broadcast."""
    return any(
        before not in (1, after)
        for before, after in zip(inputs[0].shape, output.shape, strict=False)
    )


def _axes(inputs: list[Tensor]) -> set[int]:
    rank = len(inputs[0].shape)
    return {axis % rank for axis in inputs[1].integers()} if len(inputs) > 1 and rank else set()


def _is_vector(tensor: Tensor) -> bool:
    return all(size == 1 for size in tensor.shape[:-1])


_LIMITS: dict[str, Callable[[Operator, list[Tensor], Tensor], bool]] = {
    "AVERAGE_POOL_2D": _has_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _has_activation,
    "MEAN": _mean,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduces_batch,
    "REDUCE_MIN": _reduces_batch,
    "RESHAPE": _moving,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduces_batch,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
}
