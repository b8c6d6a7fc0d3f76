"""Reports which operators of models run on the Edge TPU, compiled or predicted."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, StageError, note
from engine.stage.figures import op_graph
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.edgetpu._compiled import Compiled
    from stages.tflite.schema import Model, Subgraph

TITLE = "Edge TPU"  # in the graph
MIN_RUNTIME = 14  # required by compiler 16
MOST_DRAWN = 2_000  # operators; a larger picture is illegible
_WITHOUT_OPERATORS = {
    "ops": [],
    "cached_param_bytes": 0,
    "streamed_param_bytes": 0,
    "min_runtime": 0,
    "predicted": True,
}


class ReportMetrics(TypedDict):
    """The share of operators on the Edge TPU, 0 to 1; how many are on it and how many are not; bytes of
    parameters; and the required runtime. For several models: their sums, and the newest runtime.
    """

    edgetpu_op_ratio: float
    ops_mapped: float
    ops_left: float
    cached_param_bytes: float
    streamed_param_bytes: float
    min_runtime: float


def report(models: In, report: Annotated[Out, Suffix(".json")]) -> ReportMetrics:
    """Predict from a model's operators which ones the Edge TPU's compiler 16 maps.

    For a compiled model, read the compiler's result.
    models: a .tflite flatbuffer, or ROLE/int8.tflite and ROLE/edgetpu.tflite, of which the latter
            takes precedence; they are read but never run. arrays.npz has no operators for the Edge TPU
    report: JSON {ops: [{index, type, mapped, reason}], cached_param_bytes, streamed_param_bytes,
            min_runtime, predicted}; for a folder, {models: {ROLE: the same}}
    The operators are those of the model's main graph. In a compiled model, one operator replaces the
    mapped ones, and its ratio counts it as one. Sources: docs/edge-tpu.md. StageError: a file is not a
    TFLite model, or is damaged.
    """
    import json

    is_one = models.is_file()
    found = {role: _report(role, path) for role, path in _paths(models).items()}
    whole = found[""] if is_one else {"models": found}
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    counts = [len(one["ops"]) for one in found.values()]
    mapped = [sum(op["mapped"] for op in one["ops"]) for one in found.values()]
    return ReportMetrics(
        edgetpu_op_ratio=sum(mapped) / max(sum(counts), 1),
        ops_mapped=float(sum(mapped)),
        ops_left=float(sum(counts) - sum(mapped)),
        cached_param_bytes=float(sum(one["cached_param_bytes"] for one in found.values())),
        streamed_param_bytes=float(sum(one["streamed_param_bytes"] for one in found.values())),
        min_runtime=float(max(one["min_runtime"] for one in found.values())),
    )


def _paths(models: "Path") -> dict[str, "Path"]:
    """Return the file to read for each role; a single file has the role ''."""
    from stages.tflite import roles

    if models.is_file():
        return {"": models}
    found = roles.by_role(models)
    if not found:
        raise StageError(f"{models.name} contains no model: it needs a folder for each role")
    pairs = {role: roles.runnable(forms, "edgetpu") for role, forms in found.items()}
    return {role: twin or int8 for role, (int8, twin) in pairs.items()}


def _report(role: str, path: "Path") -> dict[str, Any]:
    """Return one model's report, and record a note and the graph."""
    from stages.edgetpu._compiled import read_compiled
    from stages.tflite import roles
    from stages.tflite.schema import read_model

    if roles.is_arrays(path):
        note(f"{role or path.name}: arrays have no TFLite operators, so they run on the CPU")
        return dict(_WITHOUT_OPERATORS)
    read = read_model(path)
    compiled = read_compiled(read, path.name)
    found = _of_compiled(read.subgraphs[0], compiled) if compiled else _predicted(read)
    _say(read.subgraphs[0], found, f"{role}: " if role else "")
    return found


def _predicted(model: "Model") -> dict[str, Any]:
    from stages.edgetpu._mapping import reasons
    from stages.edgetpu._parameters import parameter_bytes

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
    from stages.edgetpu._compiled import CUSTOM_CODE

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


def _say(graph: "Subgraph", found: dict[str, Any], role: str) -> None:
    """Record how the mapping was determined, and draw the graph."""
    mapped, count = sum(op["mapped"] for op in found["ops"]), len(found["ops"])
    if found["predicted"]:
        note(
            f"{role}{mapped} of {count} operators would run on the Edge TPU (predicted "
            "from types and shapes, without the compiler)"
        )
    else:
        note(
            f"{role}the model is compiled for the Edge TPU; operators left to the CPU: "
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
        title = f"{role}{'predicted mapping' if found['predicted'] else 'compiled'}"
        op_graph(title, found["ops"], sorted(edges), TITLE)
    else:
        note(f"{role}the graph of {count:,} operators is too large to draw")
