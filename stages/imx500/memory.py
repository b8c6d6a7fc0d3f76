"""Reports whether a quantised network fits into the AI Camera's memory, before it is converted."""

from typing import Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, note
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

OPTIONAL = ("tensorflow",)
PROGRAMS = ("java", "imxconv-tf")


class MemoryMetrics(TypedDict):
    """fits_in_chip: 1 if the network fits into the camera's memory, 0 if not. memory_bytes and
    memory_used_share: what it needs, for weights, activations and reserved memory, and its share of the
    memory. They are missing if no network was quantised, or the converter cannot run here.
    """

    fits_in_chip: NotRequired[float]
    memory_used_share: NotRequired[float]
    memory_bytes: NotRequired[float]


def memory(
    quantised: In,
    report: Annotated[Out, Suffix(".json")],
    *,
    input_persistency: bool = True,
    timeout_s: Annotated[float, Range(gt=0)] = 1800,
) -> MemoryMetrics:
    """Run the converter's memory report, which converts nothing.

    quantised: what stages.imx500.quantise wrote
    report:    JSON: measured, and why not; fits, memory_bytes, available_bytes, memory_used_share,
               weights_bytes, activations_bytes, reserved_bytes, input_persistency_bytes; the layers
               that need most memory; and advice on what to reduce
    input_persistency: keep the network's input in memory, so that it can be shown beside the outputs
    timeout_s: limit of the converter, in seconds
    A network that does not fit is the gate's matter: a note names the largest layers. StageError: the
    network has an operator that the camera lacks; the converter failed or took too long.
    """
    import json

    from stages.imx500 import _measured, _quantised, _toolkit

    about = _quantised.read(quantised)
    why = about.why or _toolkit.without_converter()
    if why:
        found: dict[str, Any] = {"measured": False, "why": why, "role": about.role}
        if not about.why:
            note(f"{about.role}: no memory report, and no conversion for the camera: {why}")
    else:
        network = quantised / _quantised.NETWORK
        found = _measured.measured(network, about.role, about.layers, input_persistency, timeout_s)
    report.write_text(json.dumps({"v": 1, **found}, indent=1), encoding="utf-8")
    if not found["measured"]:
        return MemoryMetrics()
    _tell(found)
    return MemoryMetrics(
        fits_in_chip=float(found["fits"]),
        memory_used_share=float(found["memory_used_share"]),
        memory_bytes=float(found["memory_bytes"]),
    )


def _tell(found: dict[str, Any]) -> None:
    """Report the memory in a note and two figures."""
    from engine.stage import figures
    from stages.imx500 import _memory_report

    used, available = found["memory_bytes"], found["available_bytes"]
    share = f"{used / 2**20:.2f} of {available / 2**20:.2f} MB ({found['memory_used_share']:.0%})"
    if found["fits"]:
        note(f"{found['role']}: fits into the camera's memory, and uses {share}")
    else:
        largest = _memory_report.largest_said(found["largest"])
        note(
            f"{found['role']}: does not fit into the camera's memory: it needs {share}. The largest "
            f"layers are {largest}. What helps: {'; or '.join(found['advice'])}"
        )
    rows = [(name, found[key] / 2**20) for key, name in _memory_report.PARTS.items()]
    rows.append(("free", max(available - used, 0) / 2**20))
    figures.bars("Memory of the camera", [(n, v, v, v) for n, v in rows], x="memory", x_unit="MB")
    figures.table(
        "Layers that need most memory",
        ["layer", "operator", ("weights", "bytes"), ("output", "bytes")],
        [
            (one["name"], one["operator"], one["weights_bytes"], one["output_bytes"])
            for one in found["largest"]
        ],
    )
