"""Reads the memory report of Sony's converter, and what it prints about a model that it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.stage import StageError

PARTS = {  # of the memory that a network uses
    "weights_bytes": "weights",
    "activations_bytes": "activations",
    "reserved_bytes": "reserved",
}
NO_SUCH_OPERATOR = "the camera has no such operator"
PERSISTENCY = "stages.camera_memory.params.input_persistency"
SHOWN = 3  # largest layers that a sentence names
_SIZES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"([\d.]+)\s*([KMG]?B?)")
_TOO_LARGE = re.compile(
    r"Not enough memory, available: ([\d.]+[KMG]?B)\s*, required: ([\d.]+[KMG]?B)"
)
_UNSUPPORTED = re.compile(r"contains unsupported ops: ([\w.]+(?:, [\w.]+)*)")
_INVALID = re.compile(r"Node (?:\[[^\]]*\] )?op: ([^,]+), id: ([^,\n]+?)(?:, \[|, errors)")
_REASON = re.compile(r"reason: ([^\n\"]+?)(?: \[/|\\n|\n|\"|$)")
_REPLACEMENTS = {  # what computes nearly the same with layers that the camera has
    "LayerNormalization": "use BatchNormalization",
    "UnitNormalization": "normalise on the processor, after the camera",
    "GroupNormalization": "use BatchNormalization",
    "GlobalMaxPooling2D": "use GlobalAveragePooling2D, or MaxPooling2D of the whole size",
    "ELU": "use ReLU",
    "SELU": "use ReLU",
    "SeparableConv2D": "use DepthwiseConv2D and Conv2D",
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"),
        "run it on the processor: the camera has no recurrent layers",
    ),
    **dict.fromkeys(
        ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
        "run it on the processor: the camera has no recurrent layers",
    ),
    "TimeDistributed": "use the layer inside it directly: the camera sees one frame at a time",
    "Conv1D": "use Conv2D with a height of 1",
    "Conv3D": "use Conv2D",
    "Embedding": "run it on the processor: the camera sees pictures only",
}


def read(path: Path) -> dict[str, Any]:
    """Return the report's figures: `fits` and bytes.

    Keys: fits, memory_bytes, available_bytes, memory_used_share, weights_bytes, activations_bytes,
    reserved_bytes, input_persistency_bytes. StageError: it is not a report of the converter.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))["Memory Report"]
        used, available = (
            size_bytes(whole[key]) for key in ("Memory Usage", "Total Memory Available On Chip")
        )
        networks = whole.get("Networks", [])
        return {
            "fits": bool(whole["Fit In Chip"]),
            "memory_bytes": used,
            "available_bytes": available,
            "memory_used_share": used / available,
            "weights_bytes": size_bytes(whole["Model Memory Physical Size"]),
            "activations_bytes": size_bytes(whole["Runtime Memory Physical Size"]),
            "reserved_bytes": size_bytes(whole["Reserved Memory"]),
            "input_persistency_bytes": sum(
                size_bytes(one.get("Input Persistence Cost", "0B")) for one in networks
            ),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise StageError(
            f"{path.name} is not a memory report of Sony's converter: {error!r}"
        ) from error


def too_large(log: str, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the same figures for a network that does not fit, of which there is no report; None if the
    converter printed something else.

    layers: of the network, from which weights_bytes is computed; the rest is activations
    """
    found = _TOO_LARGE.search(log)
    if found is None:
        return None
    available, used = (size_bytes(text) for text in found.groups())
    weights = min(sum(int(one["weights_bytes"]) for one in layers), used)
    return {
        "fits": False,
        "memory_bytes": used,
        "available_bytes": available,
        "memory_used_share": used / available,
        "weights_bytes": weights,
        "activations_bytes": used - weights,
        "reserved_bytes": 0,
        "input_persistency_bytes": 0,
    }


def size_bytes(text: str) -> int:
    """Return a size such as '1746208B', '151.00KB' or '1.67MB' in bytes; ValueError: it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a size")
    return round(float(found[1]) * _SIZES.get(found[2] or "B", 1))


def unsupported(log: str, layers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the operators that the converter refused: layer, operator, why, and a replacement.

    log: what it printed; layers: the network's, to find their names by their operator
    """
    found = []
    if named := _UNSUPPORTED.search(log):
        for full in named[1].split(","):
            operator = full.strip().rpartition(".")[2]
            own = [one["name"] for one in layers if one["operator"] == operator] or [""]
            found += [refused(layer, operator) for layer in own]
    for operator, layer in _INVALID.findall(log):
        reasons = _REASON.findall(log[log.find(layer) :])
        found.append(refused(layer, operator, reasons[0] if reasons else "its settings"))
    return found


def refused(layer: str, operator: str, why: str = NO_SUCH_OPERATOR) -> dict[str, str]:
    """Return an operator that the camera cannot run: layer, operator, why, and a replacement."""
    replacement = _REPLACEMENTS.get(
        operator, "replace it by convolutions, poolings, additions, ReLU, sigmoid or softmax"
    )
    return {"layer": layer, "operator": operator, "why": why, "replacement": replacement}


def said(operators: Sequence[Mapping[str, str]]) -> str:
    """Return a sentence about the operators that the converter refused."""
    each = [
        f"{one['operator']} in the layer '{one['layer']}' ({one['why']}): {one['replacement']}"
        if one["layer"]
        else f"{one['operator']} ({one['why']}): {one['replacement']}"
        for one in operators
    ]
    return "the network has operators that the camera cannot run: " + "; ".join(each)


def advice(report: Mapping[str, Any]) -> list[str]:
    """Return what to reduce, for a network that does not fit.

    It names the parameters of a run if the report is that of a role in a run, and not of a file.
    """
    if not report.get("measured") or report["fits"]:
        return []
    in_run = report["role"] is not None
    narrower, smaller = (" (params.alpha)", " (params.size)") if in_run else ("", "")
    weights = f"reduce the weights: a narrower network{narrower}, fewer classes, or fewer layers"
    activations = f"reduce the activations: a smaller input{smaller}, which also saves time"
    more = report["weights_bytes"] > report["activations_bytes"]
    found = [weights, activations] if more else [activations, weights]
    if in_run and report["input_persistency_bytes"]:
        found.append(
            f"free the copy of the input, which only its display needs: {PERSISTENCY}=false"
        )
    return found


def largest_said(largest: Sequence[Mapping[str, Any]]) -> str:
    """Return the names of the largest layers with their bytes."""
    return ", ".join(
        f"'{one['name']}' ({one['operator']}: {_kb(one['weights_bytes'])} of weights, "
        f"{_kb(one['output_bytes'])} of output)"
        for one in largest[:SHOWN]
    )


def _kb(size: float) -> str:
    return f"{size / 1024:,.0f} kB"
