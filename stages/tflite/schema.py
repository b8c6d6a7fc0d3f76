"""Reads a `.tflite` model into plain data: its tensors and operators, with the properties that decide
where an operator can run.

Pure Python, so that it works in any image; it needs no TFLite runtime and runs nothing. The field
numbers are those of TensorFlow's `tensorflow/compiler/mlir/lite/schema/schema.fbs`. An invalid file
raises `BadFile`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from stages.tflite.flatbuffer import BadFile, Blob, Table, open_blob
from stages.tflite.schema_names import OPERATORS, TYPES

IDENTIFIER = b"TFL3"
ABSENT = -1  # the index of an optional input that is not connected
MOST_NUMBERS = 256  # bytes of a constant that is read as numbers, such as axes and sizes
MAX_RANK = 32  # no operator supports as many; a malicious shape must not cause huge products

_Field = tuple[str, int, str, int]  # name, number, format character of its type, default
_STRIDES: tuple[_Field, ...] = (
    ("padding", 0, "b", 0),
    ("stride_w", 1, "i", 0),
    ("stride_h", 2, "i", 0),
)


def _activation(at: int) -> _Field:
    return "fused_activation", at, "b", 0


def _dilation(at: int) -> tuple[_Field, ...]:
    return ("dilation_w", at, "i", 1), ("dilation_h", at + 1, "i", 1)


def _numbers(*names: str) -> tuple[_Field, ...]:
    """Return the first fields, all of them integers."""
    return tuple((name, at, "i", 0) for at, name in enumerate(names))


_POOL = (*_STRIDES, ("filter_width", 3, "i", 0), ("filter_height", 4, "i", 0), _activation(5))
_REDUCE: tuple[_Field, ...] = (("keep_dims", 0, "b", 0),)
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
# The fields of an operator's options that affect where it can run.
_OPTIONS: dict[str, tuple[_Field, ...]] = {
    "ADD": (_activation(0),),
    "AVERAGE_POOL_2D": _POOL,
    "CALL_ONCE": _numbers("init_subgraph"),
    "CONCATENATION": (("axis", 0, "i", 0), _activation(1)),
    "CONV_2D": (*_STRIDES, _activation(3), *_dilation(4)),
    "DEPTHWISE_CONV_2D": (
        *_STRIDES,
        ("depth_multiplier", 3, "i", 0),
        _activation(4),
        *_dilation(5),
    ),
    "FULLY_CONNECTED": (
        _activation(0),
        ("weights_format", 1, "b", 0),
        ("keep_num_dims", 2, "b", 0),
    ),
    "IF": _numbers("then_subgraph", "else_subgraph"),
    "L2_NORMALIZATION": (_activation(0),),
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCE,
    "MUL": (_activation(0),),
    "PACK": _numbers("values_count", "axis"),
    "REDUCE_MAX": _REDUCE,
    "REDUCE_MIN": _REDUCE,
    "RESIZE_BILINEAR": (("align_corners", 2, "b", 0), ("half_pixel_centers", 3, "b", 0)),
    "RESIZE_NEAREST_NEIGHBOR": (("align_corners", 0, "b", 0), ("half_pixel_centers", 1, "b", 0)),
    "SPACE_TO_DEPTH": _numbers("block_size"),
    "SPLIT": _numbers("num_splits"),
    "STRIDED_SLICE": _numbers(*_MASKS),
    "SUB": (_activation(0),),
    "SUM": _REDUCE,
    "TRANSPOSE_CONV": (*_STRIDES, _activation(3)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_activation(0), ("time_major", 3, "b", 0)),
    "WHILE": _numbers("cond_subgraph", "body_subgraph"),
}


@dataclass(frozen=True)
class Tensor:
    """A tensor of a subgraph; `data` is empty unless it is a constant."""

    name: str
    type: str
    shape: tuple[int, ...]
    shape_signature: tuple[
        int, ...
    ]  # the same with -1 for dynamic dimensions; empty in older files
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int  # of the scales, if there is more than one
    is_variable: bool
    data: memoryview

    @property
    def is_constant(self) -> bool:
        return len(self.data) > 0

    @property
    def is_dynamic(self) -> bool:
        return any(size < 0 for size in (*self.shape, *self.shape_signature))

    @property
    def is_per_channel(self) -> bool:
        return len(self.scales) > 1

    @property
    def elements(self) -> int:
        """Return the number of elements; a dynamic dimension counts as 1."""
        count = 1
        for size in self.shape:
            count *= max(size, 1) if size < 0 else size
        return count

    def integers(self) -> tuple[int, ...]:
        """Return the numbers of a small integer constant, such as axes or a new size.

        Empty for another type or a long constant.
        """
        letter = {"INT32": "i", "INT64": "q", "INT8": "b", "UINT8": "B"}.get(self.type)
        if (
            letter is None
            or len(self.data) > MOST_NUMBERS
            or len(self.data) % struct.calcsize(f"<{letter}")
        ):
            return ()
        return struct.unpack(
            f"<{len(self.data) // struct.calcsize(f'<{letter}')}{letter}", self.data
        )


@dataclass(frozen=True)
class Operator:
    """An operator; `inputs` and `outputs` are indexes of the subgraph's tensors, or ABSENT."""

    type: str
    version: int
    custom_code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int]
    custom_options: memoryview


@dataclass(frozen=True)
class Subgraph:
    """The tensors, and the operators in execution order."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Signature:
    """A model's names for the inputs and outputs of a subgraph, with the indexes of their tensors."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Model:
    """A complete model; the first subgraph is the one that runs."""

    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = ()


def read_model(path: Path) -> Model:
    """Return the model in a file, with every index checked.

    BadFile: the file is invalid.
    """
    blob = open_blob(path, "TFLite model")
    if bytes(blob.view[4:8]) != IDENTIFIER:
        raise BadFile(
            f"{blob.name} is not a TFLite model: it lacks the identifier '{IDENTIFIER.decode()}'"
        )
    return parse_model(blob)


def parse_model(blob: Blob) -> Model:
    root = blob.root()
    buffers = [_buffer(table) for table in root.tables(4)]
    codes = [_code(table) for table in root.tables(1)]
    subgraphs = tuple(_subgraph(table, codes, buffers) for table in root.tables(2))
    if not subgraphs:
        raise blob.bad("it has no subgraph")
    signatures = tuple(_signature(table, subgraphs) for table in root.tables(7))
    return Model(root.number(0, "I", 0), root.text(3), subgraphs, signatures)


def _buffer(table: Table) -> memoryview:
    """Return a buffer's bytes; in a model above 2 GB they follow the FlatBuffer."""
    at, size = table.number(1, "Q", 0), table.number(2, "Q", 0)
    return table.blob.slice(at, size) if at > 1 else table.bytes(0)


def _code(table: Table) -> tuple[str, int, str]:
    """Return name, version and custom code; numbers up to 127 are in an older one-byte field."""
    code = max(table.number(0, "b", 0), table.number(3, "i", 0))
    if code < 0:
        raise table.blob.bad(f"there is no operator with the number {code}")
    name = OPERATORS[code] if code < len(OPERATORS) else f"OPERATOR_{code}"
    return name, table.number(2, "i", 1), table.text(1)


def _subgraph(
    table: Table, codes: list[tuple[str, int, str]], buffers: list[memoryview]
) -> Subgraph:
    tensors = tuple(_tensor(entry, buffers) for entry in table.tables(0))
    operators = tuple(_operator(entry, codes, len(tensors)) for entry in table.tables(3))
    inputs, outputs = _places(table, 1, len(tensors), 0), _places(table, 2, len(tensors), 0)
    return Subgraph(table.text(4), tensors, inputs, outputs, operators)


def _tensor(table: Table, buffers: list[memoryview]) -> Tensor:
    place, kind = table.number(2, "I", 0), table.number(1, "b", 0)
    if place >= len(buffers) and place:
        raise table.blob.bad(f"a tensor names buffer {place} of {len(buffers)}")
    quantisation, shape = table.table(4), table.integers(0)
    if len(shape) > MAX_RANK:
        raise table.blob.bad(f"a tensor has {len(shape):,} dimensions")
    return Tensor(
        name=table.text(3),
        type=TYPES[kind] if 0 <= kind < len(TYPES) else f"TYPE_{kind}",
        shape=shape,
        shape_signature=table.integers(7),
        scales=quantisation.numbers(2, "f") if quantisation else (),
        zero_points=quantisation.integers(3, "q") if quantisation else (),
        axis=quantisation.number(6, "i", 0) if quantisation else 0,
        is_variable=bool(table.number(5, "b", 0)),
        data=buffers[place] if buffers else memoryview(b""),
    )


def _operator(table: Table, codes: list[tuple[str, int, str]], tensors: int) -> Operator:
    place = table.number(0, "I", 0)
    if place >= len(codes):
        raise table.blob.bad(f"an operator names operator code {place} of {len(codes)}")
    name, version, custom_code = codes[place]
    options = table.table(4) if name in _OPTIONS else None
    values = {
        key: options.number(field, form, default) if options else default
        for key, field, form, default in _OPTIONS.get(name, ())
    }
    return Operator(
        type=name,
        version=version,
        custom_code=custom_code,
        inputs=_places(table, 1, tensors, ABSENT),
        outputs=_places(table, 2, tensors, 0),
        options=values,
        custom_options=table.bytes(5),
    )


def _signature(table: Table, subgraphs: tuple[Subgraph, ...]) -> Signature:
    at = table.number(4, "I", 0)
    if at >= len(subgraphs):
        raise table.blob.bad(f"a signature names subgraph {at} of {len(subgraphs)}")
    count = len(subgraphs[at].tensors)
    return Signature(table.text(2), at, _named(table, 0, count), _named(table, 1, count))


def _named(table: Table, field: int, tensors: int) -> tuple[tuple[str, int], ...]:
    """Return a signature's names and the indexes of their tensors, each checked."""
    named = tuple((entry.text(0), entry.number(1, "I", 0)) for entry in table.tables(field))
    for name, place in named:
        if place >= tensors:
            raise table.blob.bad(f"a signature's '{name}' names tensor {place} of {tensors}")
    return named


def _places(table: Table, field: int, tensors: int, least: int) -> tuple[int, ...]:
    """Return indexes of tensors, each checked."""
    places = table.integers(field)
    for place in places:
        if not least <= place < tensors:
            raise table.blob.bad(f"an operator names tensor {place} of {tensors}")
    return places
