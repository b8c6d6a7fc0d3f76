"""How many bytes an operator's parameters take on the chip: one case per rule of the layout."""

import struct
from typing import Any

import pytest

from stages.edgetpu._parameters import PICTURES_CACHE, VECTORS_CACHE, parameter_bytes
from stages.tflite.flatbuffer import Blob
from stages.tflite.schema import parse_model
from tests.tflite_models import G, Op, T, model


def size(kind: str, inputs: list[T], output: T, **options: Any) -> tuple[int, int]:
    """Return the bytes cached and streamed of one operator that does not read the model's input."""
    table = (options.pop("of"), options) if "of" in options else None
    graph = G(
        [T((1, 1)), *inputs, output],
        [Op(kind, range(1, len(inputs) + 1), (len(inputs) + 1,), 1, table)],
    )
    return parameter_bytes(parse_model(Blob(model(graph), "m")).subgraphs[0], [0])


def weights(*shape: int, channels: int = 1) -> T:
    count = 1
    for one in shape:
        count *= one
    return T(shape, data=b"\1" * count, scales=tuple(0.1 + at for at in range(channels)))


def ints(*numbers: int) -> T:
    return T((len(numbers),), "INT32", data=struct.pack(f"<{len(numbers)}i", *numbers))


def bias(count: int, value: int = 7) -> T:
    return T((count,), "INT32", data=struct.pack("<i", value) * count)


@pytest.mark.parametrize(
    ("expected", "kind", "inputs", "output", "what"),
    [
        (
            64 * (4 + 64),
            "CONV_2D",
            [T((1, 8, 8, 64)), weights(64, 1, 1, 64), bias(64)],
            T((1, 8, 8, 64)),
            "a bias and a byte a weight",
        ),
        (
            64 * 64,
            "CONV_2D",
            [T((1, 8, 8, 64)), weights(64, 1, 1, 64), bias(64, 0)],
            T((1, 8, 8, 64)),
            "no bias of zeros",
        ),
        (
            64 * (12 + 64),
            "CONV_2D",
            [T((1, 8, 8, 64)), weights(64, 1, 1, 64, channels=64), bias(64)],
            T((1, 8, 8, 64)),
            "per channel",
        ),
        (
            32 * (4 + 9 * 4),
            "CONV_2D",
            [T((1, 8, 8, 3)), weights(24, 3, 3, 3), bias(24)],
            T((1, 8, 8, 24)),
            "3 inputs are a step of 4, 24 outputs 32 lanes",
        ),
        (
            128 * (4 + 16),
            "CONV_2D",
            [T((1, 8, 8, 16)), weights(96, 1, 1, 16), bias(96)],
            T((1, 8, 8, 96)),
            "above 64 a multiple of 64",
        ),
        (
            448,
            "CONV_2D",
            [T((1, 48, 48, 96)), weights(1, 1, 1, 96, channels=1), bias(1)],
            T((1, 48, 48, 1)),
            "up to 4 outputs share a step",
        ),
        (
            32 * (4 + 9 * 4),
            "DEPTHWISE_CONV_2D",
            [T((1, 8, 8, 32)), weights(1, 3, 3, 32), bias(32)],
            T((1, 8, 8, 32)),
            "4 bytes a weight",
        ),
        (
            2880,
            "DEPTHWISE_CONV_2D",
            [T((1, 8, 8, 72)), weights(1, 3, 3, 72), bias(72)],
            T((1, 8, 8, 72)),
            "no padding of channels",
        ),
        (
            16 * 4 * 49,
            "DEPTHWISE_CONV_2D",
            [T((1, 8, 8, 1)), weights(1, 7, 7, 8)],
            T((1, 8, 8, 8)),
            "one channel into eight is an ordinary one",
        ),
        (
            256 * (8 + 256),
            "FULLY_CONNECTED",
            [T((1, 256)), weights(256, 256, channels=256)],
            T((1, 256)),
            "per channel without a bias",
        ),
        (
            16 * 4096,
            "FULLY_CONNECTED",
            [T((1, 4096)), weights(1, 4096)],
            T((1, 1)),
            "one output takes 16 lanes",
        ),
        (
            32 * 32,
            "PAD",
            [T((1, 8, 8, 28)), T((4, 2), "INT32", data=bytes(32))],
            T((1, 8, 8, 32)),
            "padding in depth is a matrix",
        ),
        (
            0,
            "PAD",
            [T((1, 8, 8, 28)), T((4, 2), "INT32", data=bytes(32))],
            T((1, 9, 9, 28)),
            "padding around is none",
        ),
        (
            64,
            "CONCATENATION",
            [T((1, 8, 8, 3)), T((1, 8, 8, 1))],
            T((1, 8, 8, 4)),
            "channels off the step are moved",
        ),
        (
            0,
            "CONCATENATION",
            [T((1, 8, 8, 4)), T((1, 8, 8, 4))],
            T((1, 8, 8, 8)),
            "those on it are not",
        ),
        (192, "CONCATENATION", [T((1, 1)), T((1, 1))], T((1, 2)), "a matrix for each vector"),
        (
            64 * 10,
            "RESHAPE",
            [T((1, 3, 3, 1))],
            T((1, 9)),
            "positions are gathered from their tiles",
        ),
        (0, "RESHAPE", [T((1, 1, 1, 9))], T((1, 9)), "a vector is where it is"),
        (
            9 * 8 * 4 * 320 + 64,
            "RESHAPE",
            [T((1, 3, 3, 30))],
            T((1, 270)),
            "channels off the step are moved by a matrix for each position",
        ),
        (
            64 * (22 * 6 * 32 + 1),
            "RESHAPE",
            [T((1, 144, 22, 22))],
            T((1, 144, 484)),
            "so are rows that are put together",
        ),
        (64 * 17, "RESHAPE", [T((1, 64, 64, 1))], T((1, 4096)), "many are gathered from the tiles"),
        (
            64 * (20 * 10 + 1),
            "TRANSPOSE",
            [T((1, 20, 20, 144)), ints(0, 3, 1, 2)],
            T((1, 144, 20, 20)),
            "a matrix for each row that is turned",
        ),
        (
            0,
            "TRANSPOSE",
            [T((1, 20, 10, 144)), ints(0, 2, 1, 3)],
            T((1, 10, 20, 144)),
            "channels that stay in depth need none",
        ),
        (0, "RESHAPE", [T((1, 4, 4, 32))], T((1, 512)), "channels that fill their steps need none"),
        (
            64 * 3 * 251,
            "SOFTMAX",
            [T((1, 1001), scales=(0.13,))],
            T((1, 1001)),
            "tables of a softmax",
        ),
        (
            0,
            "SOFTMAX",
            [T((1, 1001), scales=(1.0,))],
            T((1, 1001)),
            "steps that are coarse need none",
        ),
        (0, "RELU", [T((1, 8))], T((1, 8)), "no parameters at all"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_bytes_that_are_cached(
    expected: int, kind: str, inputs: list[T], output: T, what: str
) -> None:
    assert size(kind, inputs, output) == (expected, 0)


def test_a_constant_operand_is_sent_each_time_and_a_single_number_is_not() -> None:
    assert size("MUL", [T((1, 48, 48, 1)), weights(48, 48, 1)], T((1, 48, 48, 1))) == (0, 2304)
    assert size("PRELU", [T((1, 9, 9, 64)), weights(1, 1, 64)], T((1, 9, 9, 64))) == (0, 1024)
    assert size("SUB", [T((1, 9, 9, 3)), weights(1, 1, 1, 3)], T((1, 9, 9, 3))) == (0, 64)
    assert size("MUL", [T((1, 128)), weights(128)], T((1, 128))) == (0, 2048)
    assert size("ADD", [T((1, 9, 9, 3)), T((), data=b"\3")], T((1, 9, 9, 3))) == (0, 0)
    assert size("ADD", [T((1, 400, 3, 2)), weights(1, 400, 1, 2)], T((1, 400, 3, 2))) == (
        0,
        400 * 3 * 4,
    )


def test_very_long_inputs_are_never_cached() -> None:
    assert size("FULLY_CONNECTED", [T((1, 6_912)), weights(1, 6_912)], T((1, 1))) == (16 * 6_912, 0)
    assert size("FULLY_CONNECTED", [T((1, 8_112)), weights(1, 8_112)], T((1, 1))) == (0, 16 * 8_112)


def layers(*sizes: int, place: tuple[int, ...] = ()) -> tuple[int, int]:
    """Return the bytes cached and streamed of square layers of these sizes, with no bias.

    `place` is a shape that one more tensor has.
    """
    tensors = (
        [T((1, size)) for size in sizes]
        + [weights(size, size) for size in sizes]
        + [T((1, size)) for size in sizes]
    )
    count = len(sizes)
    ops = [Op("FULLY_CONNECTED", (at, count + at), (2 * count + at,)) for at in range(count)]
    if place:
        ops.append(Op("RELU", (3 * count,), (3 * count,)))
        tensors.append(T(place))
    return parameter_bytes(
        parse_model(Blob(model(G(tensors, ops)), "m")).subgraphs[0], range(len(ops))
    )


def test_what_does_not_fit_is_streamed_and_smaller_operators_behind_it_are_still_cached() -> None:
    assert 2 * 2_048**2 > VECTORS_CACHE > 2_048**2 + 64**2
    assert layers(2_048, 2_048, 64) == (2_048**2 + 64**2, 2_048**2)


def test_the_largest_are_cached_first() -> None:
    small, large = 640**2, 1_984**2
    assert 2 * large <= VECTORS_CACHE < small + 2 * large
    assert layers(640, 1_984, 1_984) == (2 * large, small)


def test_pictures_leave_less_room_than_vectors() -> None:
    large = 1_920**2
    assert PICTURES_CACHE < 2 * large <= VECTORS_CACHE
    assert layers(1_920, 1_920) == (2 * large, 0)
    assert layers(1_920, 1_920, place=(1, 8, 8, 4)) == (large, large)


@pytest.mark.parametrize(
    "kind",
    [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "TRANSPOSE_CONV",
        "PAD",
        "PRELU",
        "RESHAPE",
        "TRANSPOSE",
        "ADD",
        "SOFTMAX",
    ],
)
def test_odd_shapes_are_no_error(kind: str) -> None:
    for shape in ((), (0,), (3, 0, 0, 1), (2,) * 6):
        for count in range(4):
            assert size(kind, [T(shape, data=b"\1")] * count, T(shape))[0] >= 0
