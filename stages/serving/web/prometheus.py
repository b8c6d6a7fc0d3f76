"""Metrics in Prometheus' text format, version 0.0.4.

A series is written as in that format, `name{label="value"}`; counters end with `_total`.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Tuple

TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HELP = {
    "serving_captured_total": "Frames that a source delivered.",
    "serving_answered_total": "Frames that the model answered.",
    "serving_dropped_total": "Frames that were not answered, by cause.",
    "serving_reopened_total": "How often a source was opened again.",
    "serving_fps": "Frames answered per second.",
    "serving_frame_age_seconds": "From the capture of a frame to its answer.",
    "serving_inference_seconds": "Duration of one answer.",
    "serving_detections_total": "Things that answers named, by label.",
    "serving_events_total": "Events, by rule.",
    "serving_source_up": "Whether a source is live.",
    "serving_worker_restarts_total": "How often an inference process was restarted.",
    "serving_temperature_celsius": "Temperature of the processor.",
    "serving_throttled": "Whether the processor is slowed down.",
    "serving_undervoltage": "Whether the supply voltage is too low.",
    "serving_memory_bytes": "Memory of the server's processes.",
    "serving_viewers": "Open streams of events and pictures.",
    "serving_connections": "Open connections.",
    "serving_requests_total": "Answered requests, by status.",
    "serving_refused_total": "Connections that were refused or ended, by cause.",
}
_SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?", re.ASCII | re.DOTALL)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,|$)', re.ASCII)
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


def series(name: str, **labels: object) -> str:
    """Return the key of a series, with its labels escaped."""
    if not labels:
        return name
    pairs = (f'{key}="{_escaped(str(value))}"' for key, value in sorted(labels.items()))
    return f"{name}{{{','.join(pairs)}}}"


def parsed(key: str) -> Tuple[str, Dict[str, str]]:
    """Return the name and the labels of a series."""
    found = _SERIES.fullmatch(key)
    if not found:
        return "", {}
    pairs = _LABEL.findall(found.group(2) or "")
    return found.group(1), {label: _unescaped(value) for label, value in pairs}


def text(values: Mapping[str, float]) -> bytes:
    """Return the metrics as Prometheus reads them, one family after the other."""
    families: Dict[str, List[str]] = {}
    for key in sorted(values):
        name, labels = parsed(key)
        if name:  # written again, so that a badly escaped label cannot break the page
            line = f"{series(name, **labels)} {_number(values[key])}\n"
            families.setdefault(name, []).append(line)
    lines: List[str] = []
    for name, found in families.items():
        if name in _HELP:
            lines.append(f"# HELP {name} {_HELP[name]}\n")
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n")
        lines += found
    return "".join(lines).encode("utf-8", "replace")


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(one, one) for one in value)


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
