"""Small TFLite models, written by LiteRT's own schema: what a converter would write, and what none would."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the extra 'runtime' is not installed")
flatbuffers: Any = pytest.importorskip("flatbuffers", reason="the extra 'runtime' is not installed")


@dataclass
class T:
    """A tensor: its shape, its type, and its bytes where it is a constant."""

    shape: Sequence[int]
    type: str = "INT8"
    data: bytes | None = None
    signature: Sequence[int] | None = None
    scales: Sequence[float] = (0.1,)
    name: str = ""


@dataclass
class Op:
    """An operator on tensors, each named by its place among the model's."""

    type: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    version: int = 1
    options: tuple[str, dict[str, Any]] | None = None
    custom_code: str | None = None


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
    result.inputs, result.outputs = list(graph.inputs), list(graph.outputs or graph.ops[-1].outputs)
    result.operators = [_operator(made, op) for op in graph.ops]
    return result


def _tensor(made: Any, tensor: T, at: int) -> Any:
    result = schema.TensorT()
    result.name, result.shape = tensor.name or f"t{at}", list(tensor.shape)
    result.type = getattr(schema.TensorType, tensor.type)
    result.shapeSignature = list(tensor.signature) if tensor.signature else None
    result.quantization = schema.QuantizationParametersT()
    if tensor.scales and tensor.type != "FLOAT32":
        result.quantization.scale, result.quantization.zeroPoint = list(tensor.scales), [0] * len(tensor.scales)
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = list(tensor.data)
        made.buffers.append(buffer)
        result.buffer = len(made.buffers) - 1
    return result


def _operator(made: Any, op: Op) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, op.type)
    code.deprecatedBuiltinCode, code.version, code.customCode = min(code.builtinCode, 127), op.version, op.custom_code
    made.operatorCodes.append(code)
    result = schema.OperatorT()
    result.opcodeIndex, result.inputs, result.outputs = len(made.operatorCodes) - 1, list(op.inputs), list(op.outputs)
    if op.options:
        kind, values = op.options
        result.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        result.builtinOptions = getattr(schema, f"{kind}T")()
        for name, value in values.items():
            setattr(result.builtinOptions, name, value)
    return result
