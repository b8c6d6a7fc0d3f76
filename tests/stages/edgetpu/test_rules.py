"""One operator at a time: whether the compiler maps it, and its reason if not."""

import struct
from typing import Any

import pytest

from stages.coral.readable import READABLE
from stages.edgetpu._rules import (
    DATA_TYPE,
    DYNAMIC,
    NOT_CONSTANT,
    NOT_SUPPORTED,
    RANK,
    SUPPORTED,
    UNSPECIFIED,
    VERSION,
    own_reason,
)
from stages.tflite.flatbuffer import Blob
from stages.tflite.schema import OPERATORS, parse_model
from tests.tflite_models import G, Op, T, model

PICTURE = T((1, 8, 8, 4))


def ints(*numbers: int) -> T:
    return T((len(numbers),), "INT32", data=struct.pack(f"<{len(numbers)}i", *numbers))


def reason(kind: str, inputs: list[T], output: T, version: int = 1, **options: Any) -> str | None:
    """Return the reason of an operator on these tensors.

    `options` has the name of the options' table as `of`.
    """
    table = (options.pop("of"), options) if "of" in options else None
    graph = G([*inputs, output], [Op(kind, range(len(inputs)), (len(inputs),), version, table)])
    parsed = parse_model(Blob(model(graph), "m")).subgraphs[0]
    return own_reason(parsed, parsed.operators[0])


def conv(**options: int) -> dict[str, Any]:
    return {
        "of": "Conv2DOptions",
        "strideW": 1,
        "strideH": 1,
        "dilationWFactor": 1,
        "dilationHFactor": 1,
        **options,
    }


def test_the_table_names_operators_that_there_are_and_whose_versions_are_known() -> None:
    assert set(OPERATORS) & READABLE.keys() >= SUPPORTED


KERNEL, BIAS = T((8, 3, 3, 4), data=bytes(288)), T((8,), "INT32", data=bytes(32))
OUT = T((1, 8, 8, 8))


@pytest.mark.parametrize(
    ("expected", "kind", "inputs", "output", "more"),
    [
        (None, "CONV_2D", [PICTURE, KERNEL, BIAS], OUT, {"version": 3, **conv()}),
        (
            None,
            "CONV_2D",
            [T((1, 8, 8, 4), "UINT8"), T((8, 3, 3, 4), "UINT8", data=bytes(288)), BIAS],
            T((1, 8, 8, 8), "UINT8"),
            conv(),
        ),
        (VERSION, "CONV_2D", [PICTURE, KERNEL, BIAS], OUT, {"version": 6, **conv()}),
        (NOT_CONSTANT, "CONV_2D", [PICTURE, T((8, 3, 3, 4)), BIAS], OUT, conv()),
        (NOT_CONSTANT, "CONV_2D", [PICTURE, KERNEL, T((8,), "INT32")], OUT, conv()),
        (UNSPECIFIED, "CONV_2D", [PICTURE, KERNEL, BIAS], OUT, conv(dilationWFactor=2)),
        (None, "CONV_2D", [PICTURE, KERNEL, BIAS], OUT, conv(dilationWFactor=2, dilationHFactor=2)),
        (
            None,
            "CONV_2D",
            [PICTURE, T((8, 3, 1, 4), data=bytes(96)), BIAS],
            OUT,
            conv(dilationHFactor=4),
        ),
        (
            DATA_TYPE,
            "CONV_2D",
            [T((1, 8, 8, 4), "FLOAT32"), KERNEL, BIAS],
            T((1, 8, 8, 8), "FLOAT32"),
            conv(),
        ),
        (RANK, "CONV_2D", [T((2, 8, 8, 4)), KERNEL, BIAS], T((2, 8, 8, 8)), conv()),
        (DYNAMIC, "RELU", [T((-1, 8))], T((-1, 8)), {}),
        (DATA_TYPE, "DEQUANTIZE", [PICTURE], T((1, 8, 8, 4), "FLOAT32"), {}),
        (UNSPECIFIED, "QUANTIZE", [T((1, 8, 8, 4), "FLOAT32")], PICTURE, {}),
        (None, "QUANTIZE", [PICTURE], T((1, 8, 8, 4), "UINT8"), {}),
        (VERSION, "QUANTIZE", [PICTURE], PICTURE, {"version": 3}),
        (NOT_SUPPORTED, "LEAKY_RELU", [PICTURE], PICTURE, {}),
        (NOT_SUPPORTED, "HARD_SWISH", [PICTURE], PICTURE, {}),
        (NOT_SUPPORTED, "DEPTH_TO_SPACE", [PICTURE], T((1, 16, 16, 1)), {}),
        (DATA_TYPE, "ARG_MAX", [PICTURE, ints(3)], T((1, 8, 8), "INT64"), {}),
        (None, "ADD", [PICTURE, T((1, 1, 1, 4), data=bytes(4))], PICTURE, {}),
        (VERSION, "ADD", [PICTURE, PICTURE], PICTURE, {"version": 4}),
        (DATA_TYPE, "ADD", [T((4,), "INT32"), ints(1)], T((4,), "INT32"), {}),
        (None, "FULLY_CONNECTED", [T((1, 8)), T((4, 8), data=bytes(32))], T((1, 4)), {}),
        (
            VERSION,
            "FULLY_CONNECTED",
            [T((1, 8)), T((4, 8), data=bytes(32))],
            T((1, 4)),
            {"version": 12},
        ),
        (UNSPECIFIED, "FULLY_CONNECTED", [T((3, 8)), T((4, 8), data=bytes(32))], T((3, 4)), {}),
        (NOT_CONSTANT, "FULLY_CONNECTED", [T((1, 8)), T((4, 8))], T((1, 4)), {}),
        (None, "AVERAGE_POOL_2D", [PICTURE], T((1, 1, 1, 4)), {"of": "Pool2DOptions"}),
        (
            UNSPECIFIED,
            "MAX_POOL_2D",
            [PICTURE],
            T((1, 4, 4, 4)),
            {"of": "Pool2DOptions", "fusedActivationFunction": 1},
        ),
        (None, "CONCATENATION", [PICTURE, PICTURE], T((1, 8, 8, 8)), {}),
        (
            UNSPECIFIED,
            "CONCATENATION",
            [PICTURE, PICTURE],
            T((1, 8, 8, 8)),
            {"of": "ConcatenationOptions", "fusedActivationFunction": 3},
        ),
        (None, "CONCATENATION", [PICTURE, T((1, 8, 8, 4), data=bytes(256))], T((1, 8, 8, 8)), {}),
        (
            UNSPECIFIED,
            "CONCATENATION",
            [PICTURE, T((1, 8, 8, 4), data=b"\1" * 256)],
            T((1, 8, 8, 8)),
            {},
        ),
        (
            UNSPECIFIED,
            "CONCATENATION",
            [PICTURE, PICTURE, T((1, 8, 8, 4), data=bytes(256))],
            T((1, 8, 8, 12)),
            {},
        ),
        (None, "MEAN", [PICTURE, ints(1, 2)], T((1, 4)), {}),
        (None, "MEAN", [PICTURE, ints(-1)], T((1, 8, 8)), {}),
        (UNSPECIFIED, "MEAN", [T((1, 8, 8, 3)), ints(3)], T((1, 8, 8)), {}),
        (UNSPECIFIED, "MEAN", [T((1, 256, 128, 3)), ints(1, 2)], T((1, 3)), {}),
        (UNSPECIFIED, "SUM", [PICTURE, ints(0)], T((8, 8, 4)), {}),
        (NOT_CONSTANT, "MEAN", [PICTURE, T((1,), "INT32")], T((1, 8, 8)), {}),
        (None, "PAD", [PICTURE, ints(0, 0, 1, 1, 1, 1, 0, 4)], T((1, 10, 10, 8)), {}),
        (RANK, "PAD", [PICTURE, ints(0, 1, 0, 0, 0, 0, 0, 0)], T((2, 8, 8, 4)), {}),
        (UNSPECIFIED, "PACK", [T((4,)), T((4,))], T((2, 4)), {"of": "PackOptions", "axis": 0}),
        (None, "PACK", [T((4,)), T((4,))], T((4, 2)), {"of": "PackOptions", "axis": 1}),
        (None, "PRELU", [PICTURE, T((1, 1, 4), data=bytes(4))], PICTURE, {}),
        (UNSPECIFIED, "PRELU", [PICTURE, T((8, 8, 4), data=bytes(256))], PICTURE, {}),
        (None, "RESHAPE", [PICTURE, ints(1, 256)], T((1, 256)), {}),
        (NOT_CONSTANT, "RESHAPE", [PICTURE, T((2,), "INT32")], T((1, 256)), {}),
        (None, "RESIZE_BILINEAR", [PICTURE, ints(16, 16)], T((1, 16, 16, 4)), {}),
        (UNSPECIFIED, "RESIZE_BILINEAR", [PICTURE, ints(64, 64)], T((1, 64, 64, 4)), {}),
        (
            UNSPECIFIED,
            "RESIZE_NEAREST_NEIGHBOR",
            [T((1, 256, 256, 32)), ints(512, 512)],
            T((1, 512, 512, 32)),
            {},
        ),
        (None, "RESIZE_BILINEAR", [T((1, 64, 64, 32)), ints(128, 128)], T((1, 128, 128, 32)), {}),
        (None, "RESIZE_BILINEAR", [T((1, 128, 128, 32)), ints(256, 256)], T((1, 256, 256, 32)), {}),
        (None, "SOFTMAX", [T((1, 1000))], T((1, 1000)), {}),
        (UNSPECIFIED, "SOFTMAX", [T((1, 20_000))], T((1, 20_000)), {}),
        (None, "SOFTMAX", [T((1, 4, 8400, 16))], T((1, 4, 8400, 16)), {}),
        (None, "SPLIT", [ints(3), PICTURE], T((1, 8, 8, 2)), {}),
        (None, "SPLIT", [ints(0), PICTURE], PICTURE, {}),
        (UNSPECIFIED, "SPLIT", [ints(0), PICTURE], T((0, 8, 8, 4)), {}),
        (UNSPECIFIED, "SPLIT", [ints(0), T((2, 64, 32))], T((1, 64, 32)), {}),
        (None, "STRIDED_SLICE", [PICTURE, ints(0, 0), ints(1, 4), ints(1, 1)], T((1, 4, 8, 4)), {}),
        (
            UNSPECIFIED,
            "STRIDED_SLICE",
            [PICTURE, ints(0, 0), ints(1, 4), ints(1, 2)],
            T((1, 2, 8, 4)),
            {},
        ),
        (None, "TILE", [T((1, 1, 1, 4)), ints(1, 8, 8, 1)], PICTURE, {}),
        (UNSPECIFIED, "TILE", [T((1, 2, 1, 4)), ints(1, 4, 8, 1)], PICTURE, {}),
        (None, "TRANSPOSE", [PICTURE, ints(0, 2, 1, 3)], PICTURE, {}),
        (VERSION, "TRANSPOSE_CONV", [ints(1, 8, 8, 8), KERNEL, PICTURE], OUT, {"version": 4}),
        (None, "TRANSPOSE_CONV", [ints(1, 8, 8, 8), KERNEL, PICTURE], OUT, {"version": 2}),
    ],
)
def test_an_operator(
    expected: str | None, kind: str, inputs: list[T], output: T, more: dict[str, Any]
) -> None:
    assert reason(kind, inputs, output, **more) == expected


@pytest.mark.parametrize(
    ("fits", "kind", "before", "after"),
    [
        (True, "TRANSPOSE", (1, 24, 24, 144), (1, 144, 24, 24)),
        (False, "TRANSPOSE", (1, 20, 20, 256), (1, 256, 20, 20)),
        (True, "RESHAPE", (1, 40, 40, 255), (1, 1600, 3, 85)),
        (False, "RESHAPE", (1, 80, 80, 255), (1, 6400, 3, 85)),
        (False, "RESHAPE", (1, 1600, 3, 85), (1, 4800, 85)),
        (True, "RESHAPE", (1, 64, 2100), (1, 4, 16, 2100)),
        (True, "LOGISTIC", (1, 80, 2100), (1, 80, 2100)),
        (False, "LOGISTIC", (1, 80, 8400), (1, 80, 8400)),
        (True, "LOGISTIC", (1, 320, 320, 16), (1, 320, 320, 16)),
        (True, "CONCATENATION", (1, 84, 2100), (1, 84, 2100)),
        (False, "CONCATENATION", (1, 144, 2100), (1, 144, 2100)),
        (True, "QUANTIZE", (1, 721, 1281, 3), (1, 721, 1281, 3)),
    ],
)
def test_activations_that_cannot_be_cut_into_rows_have_to_fit_on_a_tile(
    fits: bool, kind: str, before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    sizes = {"TRANSPOSE": [ints(0, 3, 1, 2)], "RESHAPE": [ints(*after)]}
    assert reason(kind, [T(before), *sizes.get(kind, [])], T(after)) == (
        None if fits else UNSPECIFIED
    )


@pytest.mark.parametrize("kind", sorted(SUPPORTED))
@pytest.mark.parametrize("shape", [(), (0,), (1, 4), (1, 2, 2, 4), (2,) * 6], ids=str)
def test_an_operator_of_any_inputs_is_no_error(kind: str, shape: tuple[int, ...]) -> None:
    tensors = [T(shape), T(shape, data=b"\1"), T((2,), "INT32", data=bytes(8)), T(shape)]
    for inputs in ((), (0,), (0, 1), (2, 0), (0, -1, 2), (0, 2, 2, 2), (2, 1, 0, 2)):
        graph = parse_model(Blob(model(G(tensors, [Op(kind, inputs, (3,))])), "m")).subgraphs[0]
        assert own_reason(graph, graph.operators[0]) in (
            None,
            UNSPECIFIED,
            DATA_TYPE,
            NOT_CONSTANT,
            RANK,
        )
