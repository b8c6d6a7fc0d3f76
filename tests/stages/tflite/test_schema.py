import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tflite.flatbuffer import BadFile, Blob
from stages.tflite.schema import Model, parse_model, read_model
from tests.tflite_models import G, Op, T, model

CONV = G(
    [
        T((1, 8, 8, 3), "UINT8", signature=(-1, 8, 8, 3), name="picture"),
        T((4, 3, 3, 3), data=bytes(108), scales=(0.1, 0.2, 0.3, 0.4)),
        T((4,), "INT32", data=bytes(16)),
        T((1, 8, 8, 4)),
    ],
    [
        Op(
            "CONV_2D",
            (0, 1, 2),
            (3,),
            3,
            (
                "Conv2DOptions",
                {"strideW": 2, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1},
            ),
        )
    ],
)
SMALL = model(CONV)


def parse(data: bytes) -> Model:
    return parse_model(Blob(data, "m.tflite"))


def test_tensors_and_operators_are_read_as_they_were_written() -> None:
    read = parse(SMALL)
    (graph,), picture = read.subgraphs, read.subgraphs[0].tensors[0]
    assert (read.version, read.description, graph.inputs, graph.outputs) == (
        3,
        "a test's model",
        (0,),
        (3,),
    )
    assert (picture.name, picture.type, picture.shape, picture.shape_signature) == (
        "picture",
        "UINT8",
        (1, 8, 8, 3),
        (-1, 8, 8, 3),
    )
    (conv,) = graph.operators
    assert (conv.type, conv.version, conv.inputs, conv.outputs) == ("CONV_2D", 3, (0, 1, 2), (3,))
    assert (conv.options["stride_w"], conv.options["stride_h"], conv.options["dilation_w"]) == (
        2,
        1,
        1,
    )


def test_constants_dynamic_shapes_and_scales_per_channel_are_reported() -> None:
    picture, weights, bias, _ = parse(SMALL).subgraphs[0].tensors
    assert (picture.is_dynamic, weights.is_dynamic) == (True, False)
    assert (picture.is_constant, weights.is_constant, len(weights.data)) == (False, True, 108)
    assert (weights.is_per_channel, bias.is_per_channel, weights.axis) == (True, False, 0)
    assert weights.scales == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert weights.elements == 108


def test_operators_above_127_and_custom_ones_have_their_names() -> None:
    graph = G(
        [T((1, 4)), T((1, 4))],
        [Op("GELU", (0,), (1,)), Op("CUSTOM", (0,), (1,), custom_code="edgetpu-custom-op")],
    )
    first, second = parse(model(graph)).subgraphs[0].operators
    assert (first.type, second.type, second.custom_code) == ("GELU", "CUSTOM", "edgetpu-custom-op")


def test_small_constants_are_read_as_integers() -> None:
    graph = G(
        [T((2,), "INT32", data=struct.pack("<2i", 1, -2)), T((1,), "FLOAT32", data=bytes(4))],
        [Op("RELU", (0,), (1,))],
    )
    axes, number = parse(model(graph)).subgraphs[0].tensors
    assert (axes.integers(), number.integers()) == ((1, -2), ())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a TFLite model: it has 0 bytes"),
        (b"GIF89a, not a model", "lacks the identifier 'TFL3'"),
        (b"\x08\0\0\0TFL3", "ends too early"),
        (SMALL[: len(SMALL) // 2], "ends too early"),
        (b"\0\0\0\0TFL3" + bytes(64), "an offset leads nowhere"),
        (b"\xff\xff\xff\xffTFL3" + bytes(64), "an offset leads outside it"),
    ],
    ids=["empty", "a picture", "the mark only", "half", "zeros", "far away"],
)
def test_what_is_no_model_is_refused_in_a_sentence(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=sentence):
        read_model(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="is not a file"):
        read_model(tmp_path)


def test_a_huge_empty_file_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "m.tflite").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(BadFile, match="2,147,483,649 bytes"):
        read_model(tmp_path / "m.tflite")


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (G([T((1,))], [Op("RELU", (7,), (0,))]), "tensor 7 of 1"),
        (G([T((1,))], [Op("RELU", (0,), (-1,))], outputs=(0,)), "tensor -1 of 1"),
        (G([T((1,))], [], outputs=(3,)), "tensor 3 of 1"),
        (G([T((1,) * 33)], [Op("RELU", (0,), (0,))]), "33 dimensions"),
    ],
)
def test_an_index_outside_and_a_shape_without_end_are_refused(graph: G, sentence: str) -> None:
    with pytest.raises(BadFile, match=sentence):
        parse(model(graph))


def test_one_table_named_a_million_times_is_refused() -> None:
    """The vector of subgraphs holds offsets that all lead to one empty table.

    Read naively it would fill the memory.
    """
    count = 1_000_000
    vtable = struct.pack("<HHHHH", 10, 8, 0, 0, 4)
    root = struct.pack(
        "<iI", 12, 4
    )  # the table is 12 bytes behind its vtable; its field 2, the vector, follows it
    head = struct.pack("<I", 20) + b"TFL3" + vtable + bytes(2) + root
    start = len(head) + 4
    end = start + 4 * count
    vector = struct.pack("<I", count) + b"".join(
        struct.pack("<I", end + 4 - (start + 4 * at)) for at in range(count)
    )
    data = head + vector + struct.pack("<HHi", 4, 4, 4)
    with pytest.raises(BadFile, match="repeats itself endlessly"):
        parse(data)


@given(data=st.data())
def test_a_damaged_model_is_read_or_refused_but_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(SMALL[: data.draw(st.integers(8, len(SMALL)))])
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    try:
        read = parse(bytes(damaged))
    except BadFile as error:
        assert str(error).startswith("m.tflite cannot be read: ")
    else:
        assert all(tensor.elements >= 0 for graph in read.subgraphs for tensor in graph.tensors)
