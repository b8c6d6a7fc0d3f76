"""Checks whether the Edge TPU's compiler 16 can read a model at all; what it maps is a separate question.

It was built in the summer of 2021 (16.0.384591198), so it reads operators up to the versions of
TensorFlow 2.6. If one operator is newer, it refuses the whole model with "Didn't find op for builtin
opcode". docs/edge-tpu.md has the table and its sources.
"""

from collections import Counter
from collections.abc import Iterator

from stages.tflite.schema import Model, Operator, Subgraph

# Highest version of each operator up to TensorFlow 2.6:
# tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc.
# Tests confirm that compiler 16 reads no version newer than CONV_2D 5, QUANTIZE 2, TRANSPOSE_CONV 3, EXP 1.
_BY_VERSION = {
    9: "FULLY_CONNECTED",
    6: "DEPTHWISE_CONV_2D STRIDED_SLICE",
    5: "CONV_2D GATHER MUL SLICE SUB TRANSPOSE",
    4: (
        "ABS ADD BATCH_MATMUL DEQUANTIZE LSTM MAXIMUM MINIMUM PAD PADV2 RESIZE_BILINEAR "
        "RESIZE_NEAREST_NEIGHBOR SPLIT SVDF UNPACK"
    ),
    3: "AVERAGE_POOL_2D BATCH_TO_SPACE_ND BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN "
    "BROADCAST_TO CONCATENATION "
    "EMBEDDING_LOOKUP EQUAL FILL GATHER_ND LOGISTIC MAX_POOL_2D MEAN NOT_EQUAL PACK REDUCE_MAX "
    "REDUCE_MIN RELU RELU6 REVERSE_V2 RNN "
    "SOFTMAX SPACE_TO_BATCH_ND SPARSE_TO_DENSE TANH TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM "
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    2: "ARG_MAX ARG_MIN DEPTH_TO_SPACE DIV FAKE_QUANT FLOOR_DIV GREATER GREATER_EQUAL L2_NORMALIZATION "
    "LEAKY_RELU LESS LESS_EQUAL "
    "LOG_SOFTMAX MIRROR_PAD QUANTIZE REDUCE_PROD RSQRT SELECT SPACE_TO_DEPTH SPLIT_V "
    "SQUARED_DIFFERENCE SQUEEZE SUM TILE TOPK_V2",
    1: "ADD_N ASSIGN_VARIABLE BROADCAST_ARGS CALL_ONCE CAST CEIL COMPLEX_ABS CONV_3D CONV_3D_TRANSPOSE "
    "COS CUMSUM DENSIFY ELU "
    "EMBEDDING_LOOKUP_SPARSE EXP EXPAND_DIMS FLOOR FLOOR_MOD HARD_SWISH HASHTABLE HASHTABLE_FIND "
    "HASHTABLE_IMPORT HASHTABLE_LOOKUP "
    "HASHTABLE_SIZE IF IMAG L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT "
    "LOGICAL_OR LSH_PROJECTION MATRIX_DIAG "
    "MATRIX_SET_DIAG NEG NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 ONE_HOT POW PRELU RANGE RANK "
    "READ_VARIABLE REAL REDUCE_ALL "
    "REDUCE_ANY RELU_N1_TO_1 RESHAPE REVERSE_SEQUENCE RFFT2D ROUND SCATTER_ND SEGMENT_SUM SELECT_V2 "
    "SHAPE SIN SKIP_GRAM SQRT SQUARE "
    "UNIQUE VAR_HANDLE WHERE WHILE ZEROS_LIKE",
}
READABLE = {name: version for version, names in _BY_VERSION.items() for name in names.split()}
# Why the converter chooses a newer version: tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
_WAYS_OUT = {
    "CONV_2D": "use no grouped convolution (version 6) and no 4-bit weights (7)",
    "EXP": "remove the exponential from the model, or use softmax instead",
    "FULLY_CONNECTED": "quantise its weights per tensor, to 8 bits",
    "QUANTIZE": "use no 16-bit tensors in the model",
    "TRANSPOSE": "transpose no more than 5 dimensions",
    "TRANSPOSE_CONV": (
        "remove the activation after its batch normalisation, since both are folded into "
        "it (tested with TensorFlow 2.21)"
    ),
}
_WAY_OUT = "use older operations instead, or convert with an older TensorFlow"


def obstacles(model: Model) -> list[str]:
    """Return the reasons, one sentence each, why compiler 16 cannot read the model; empty if it can."""
    return [
        sentence
        for graph in model.subgraphs
        for sentence in (*_versions(graph), *_dense(graph), *_shapes(graph))
    ]


def unreadable(operator: str, version: int) -> str:
    """Return a sentence saying that the operator is too new, with the readable version and a fix."""
    highest = READABLE.get(operator)
    reads = f"reads {operator} up to version {highest}" if highest else f"does not know {operator}"
    return (
        f"{operator} has version {version}, but the Edge TPU's compiler 16 {reads}: "
        f"{_WAYS_OUT.get(operator, _WAY_OUT)}"
    )


def _versions(graph: Subgraph) -> Iterator[str]:
    counts = Counter(
        (operator.type, operator.version) for operator in graph.operators if _is_too_new(operator)
    )
    for (name, version), count in sorted(counts.items()):
        yield unreadable(name, version) + (f" ({count} times)" if count > 1 else "")


def _is_too_new(operator: Operator) -> bool:
    return operator.type != "CUSTOM" and operator.version > READABLE.get(operator.type, 0)


def _dense(graph: Subgraph) -> Iterator[str]:
    """Yield the fully connected layers with a scale per channel, which the converter has produced since
    2024. In tests, one without a bias compiled, others did not (tensorflow#73946).
    """
    dense = [
        operator
        for operator in graph.operators
        if operator.type == "FULLY_CONNECTED" and len(operator.inputs) > 1
    ]
    count = sum(graph.tensors[operator.inputs[1]].is_per_channel for operator in dense)
    if count:
        yield (
            f"{count} of {len(dense)} FULLY_CONNECTED have a scale per channel, which "
            "compiler 16 does not support: quantise them per tensor"
        )


def _shapes(graph: Subgraph) -> Iterator[str]:
    for place in graph.inputs:
        shape = graph.tensors[place].shape
        if len(shape) > 1 and shape[0] > 1:
            yield f"the input '{graph.tensors[place].name}' is {list(shape)}: convert with a batch of 1"
    # in tests, a batch declared open but with a size of 1 compiled
    dynamic = [
        tensor.name
        for tensor in graph.tensors
        if min((*tensor.shape, *tensor.shape_signature[1:]), default=0) < 0
    ]
    if dynamic:
        others = f" and {len(dynamic) - 1} more" if len(dynamic) > 1 else ""
        yield f"the tensor '{dynamic[0]}'{others} has no fixed size: give the network fixed shapes"
