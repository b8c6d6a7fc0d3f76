"""The stage that says which operators of a model run on the Edge TPU, compiled or not."""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, note
from engine.stage.figures import op_graph

if TYPE_CHECKING:
    from stages.edge._edgetpu_compiled import Compiled
    from stages.edge._tflite import Model, Subgraph

MIN_RUNTIME = 14  # what compiler 16 asks for
MOST_DRAWN = 2_000  # operators; a picture of more shows nothing


class EdgetpuReportMetrics(TypedDict):
    """The share of operators on the Edge TPU, 0 to 1; how many are on it and how many are not.

    Bytes of its parameters; its runtime.
    """

    edgetpu_op_ratio: float
    ops_mapped: float
    ops_left: float
    cached_param_bytes: float
    streamed_param_bytes: float
    min_runtime: float


def edgetpu_report(model: In, report: Out) -> EdgetpuReportMetrics:
    """Predict from a model's operators what the Edge TPU's compiler 16 maps.

    Of a compiled model, read what the compiler did.

    model:  a .tflite flatbuffer; it is read and never run report: JSON {ops: [{index, type, mapped,
    reason}], cached_param_bytes, streamed_param_bytes, min_runtime, predicted}

    The operators are those of the model's main graph. A compiled model has one operator where the
    mapped ones were, so its ratio counts that as one. Sources: docs/edge-tpu.md. StageError: the
    file is no TFLite model, or a damaged one.
    """
    import json

    from stages.edge._edgetpu_compiled import read_compiled
    from stages.edge._tflite import read_model

    read = read_model(model)
    compiled = read_compiled(read, model.name)
    found = _of_compiled(read.subgraphs[0], compiled) if compiled else _predicted(read)
    report.write_text(json.dumps(found, indent=1), encoding="utf-8")
    _say(read.subgraphs[0], found)
    mapped = sum(op["mapped"] for op in found["ops"])
    return EdgetpuReportMetrics(
        edgetpu_op_ratio=mapped / max(len(found["ops"]), 1),
        ops_mapped=float(mapped),
        ops_left=float(len(found["ops"]) - mapped),
        cached_param_bytes=float(found["cached_param_bytes"]),
        streamed_param_bytes=float(found["streamed_param_bytes"]),
        min_runtime=float(found["min_runtime"]),
    )


def _predicted(model: "Model") -> dict[str, Any]:
    from stages.edge._edgetpu_mapping import reasons
    from stages.edge._edgetpu_parameters import parameter_bytes

    graph = model.subgraphs[0]
    why = reasons(graph)
    mapped = [at for at, reason in enumerate(why) if reason is None]
    cached, streamed = parameter_bytes(graph, mapped)
    return {
        "ops": [_row(at, operator.type, why[at]) for at, operator in enumerate(graph.operators)],
        "cached_param_bytes": cached,
        "streamed_param_bytes": streamed,
        "min_runtime": MIN_RUNTIME if mapped else 0,
        "predicted": True,
    }


def _of_compiled(graph: "Subgraph", compiled: "Compiled") -> dict[str, Any]:
    from stages.edge._edgetpu_compiled import CUSTOM_CODE

    rows = []
    for at, operator in enumerate(graph.operators):
        is_tpu = operator.custom_code == CUSTOM_CODE
        rows.append(
            _row(
                at,
                CUSTOM_CODE if is_tpu else operator.type,
                None if is_tpu else "left to the CPU by the compiler",
            )
        )
    return {
        "ops": rows,
        "cached_param_bytes": compiled.cached_param_bytes,
        "streamed_param_bytes": compiled.streamed_param_bytes,
        "min_runtime": compiled.min_runtime,
        "predicted": False,
    }


def _row(at: int, kind: str, reason: str | None) -> dict[str, Any]:
    return {"index": at, "type": kind, "mapped": reason is None, "reason": reason}


def _say(graph: "Subgraph", found: dict[str, Any]) -> None:
    """Tell how it was found out, and draw the graph."""
    mapped, count = sum(op["mapped"] for op in found["ops"]), len(found["ops"])
    if found["predicted"]:
        note(
            f"{mapped} of {count} operators would run on the Edge TPU: a prediction from their types "
            "and shapes, no compiler was asked"
        )
    else:
        note(
            "the model is compiled for the Edge TPU; operators beside its own, which run on the CPU: "
            f"{count - mapped}"
        )
    if count <= MOST_DRAWN:
        makers = {
            place: at for at, operator in enumerate(graph.operators) for place in operator.outputs
        }
        edges = {
            (makers[place], at)
            for at, operator in enumerate(graph.operators)
            for place in operator.inputs
            if place in makers
        }
        op_graph(
            "predicted mapping" if found["predicted"] else "compiled", found["ops"], sorted(edges)
        )
    else:
        note(f"a graph of {count:,} operators is not drawn")
