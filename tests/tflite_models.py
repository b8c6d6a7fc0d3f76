"""Small TFLite models, written with LiteRT's own schema: valid ones, and ones that no converter would write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

np: Any = pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")
schema: Any = pytest.importorskip(
    "ai_edge_litert.schema_py_generated", reason="the extra 'runtime' is not installed"
)
flatbuffers: Any = pytest.importorskip("flatbuffers", reason="the extra 'runtime' is not installed")


@dataclass
class T:
    """A tensor: its shape, its type, and its bytes if it is a constant."""

    shape: Sequence[int]
    type: str = "INT8"
    data: bytes | None = None
    signature: Sequence[int] | None = None
    scales: Sequence[float] = (0.1,)
    name: str = ""


@dataclass
class Op:
    """An operator on tensors, which are given by index in the model."""

    type: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    version: int = 1
    options: tuple[str, dict[str, Any]] | None = None
    custom_code: str | None = None
    custom_options: bytes | None = None


@dataclass
class G:
    """A subgraph."""

    tensors: list[T]
    ops: list[Op]
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = field(default=())


def write(path: Path, *graphs: G) -> Path:
    """Write a model of these subgraphs."""
    path.write_bytes(model(*graphs))
    return path


def model(*graphs: G) -> bytes:
    """Return a model of these subgraphs."""
    made = schema.ModelT()
    made.version, made.description = 3, "a test's model"
    made.buffers, made.operatorCodes = [schema.BufferT()], []
    made.subgraphs = [_subgraph(made, graph) for graph in graphs]
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _subgraph(made: Any, graph: G) -> Any:
    result = schema.SubGraphT()
    result.name = "main"
    result.tensors = [_tensor(made, tensor, at) for at, tensor in enumerate(graph.tensors)]
    result.inputs, result.outputs = (
        list(graph.inputs),
        list(graph.outputs or (graph.ops[-1].outputs if graph.ops else ())),
    )
    result.operators = [_operator(made, op) for op in graph.ops]
    return result


def _tensor(made: Any, tensor: T, at: int) -> Any:
    result = schema.TensorT()
    result.name, result.shape = tensor.name or f"t{at}", list(tensor.shape)
    result.type = getattr(schema.TensorType, tensor.type)
    result.shapeSignature = list(tensor.signature) if tensor.signature else None
    result.quantization = schema.QuantizationParametersT()
    if tensor.scales and tensor.type != "FLOAT32":
        result.quantization.scale, result.quantization.zeroPoint = (
            list(tensor.scales),
            [0] * len(tensor.scales),
        )
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data, np.uint8)  # a list would be packed byte by byte
        made.buffers.append(buffer)
        result.buffer = len(made.buffers) - 1
    return result


def _operator(made: Any, op: Op) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, op.type)
    code.deprecatedBuiltinCode, code.version, code.customCode = (
        min(code.builtinCode, 127),
        op.version,
        op.custom_code,
    )
    made.operatorCodes.append(code)
    result = schema.OperatorT()
    result.opcodeIndex, result.inputs, result.outputs = (
        len(made.operatorCodes) - 1,
        list(op.inputs),
        list(op.outputs),
    )
    if op.custom_options is not None:
        result.customOptions = list(op.custom_options)
    if op.options:
        kind, values = op.options
        result.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        result.builtinOptions = getattr(schema, f"{kind}T")()
        for name, value in values.items():
            setattr(result.builtinOptions, name, value)
    return result


def package(executables: Sequence[tuple[int, int]], min_runtime: int = 14) -> bytes:
    """Return a DarwiNN package with executables of these types and bytes of parameters, as the Edge TPU's
    compiler nests them.
    """
    multi = flatbuffers.Builder(64)
    offsets = [multi.CreateString(_executable(kind, size)) for kind, size in executables]
    multi.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        multi.PrependUOffsetTRelative(offset)
    vector = multi.EndVector()
    multi.StartObject(1)
    multi.PrependUOffsetTRelativeSlot(0, vector, 0)
    multi.Finish(multi.EndObject())
    builder = flatbuffers.Builder(64)
    serialized, version = (
        builder.CreateByteVector(bytes(multi.Output())),
        builder.CreateString("a test's compiler"),
    )
    builder.StartObject(8)
    builder.PrependInt32Slot(0, min_runtime, 0)
    builder.PrependUOffsetTRelativeSlot(1, serialized, 0)
    builder.PrependUOffsetTRelativeSlot(4, version, 0)
    builder.Finish(builder.EndObject(), b"DWN1")
    return bytes(builder.Output())


def compiled_options(data: bytes, key: str = "4") -> bytes:
    """Return the options of an `edgetpu-custom-op`: a FlexBuffer map."""
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("1")
        builder.String("another")
        builder.Key(key)
        builder.Blob(data)
    return bytes(builder.Finish())


def _executable(kind: int, size: int) -> bytes:
    builder = flatbuffers.Builder(64)
    parameters = builder.CreateByteVector(b"\1" * size)
    builder.StartObject(17)
    builder.PrependUOffsetTRelativeSlot(6, parameters, 0)
    builder.PrependInt16Slot(13, kind, 0)
    builder.Finish(builder.EndObject(), b"DWN1")
    return bytes(builder.Output())
