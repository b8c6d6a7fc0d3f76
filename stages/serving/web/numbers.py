"""The numbers that the page shows, from states and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from stages.serving.web.prometheus import parsed

if TYPE_CHECKING:
    from stages.serving.interfaces import Hub

_AGES = {"0.5": "age_p50_ms", "0.95": "age_p95_ms", "0.99": "age_p99_ms"}
_MACHINE = {  # metric -> number, factor
    "serving_temperature_celsius": ("temperature_c", 1.0),
    "serving_throttled": ("throttled", 1.0),
    "serving_undervoltage": ("undervoltage", 1.0),
}


def numbers(hub: Hub) -> Dict[str, Any]:
    """Return numbers by source, and those of the machine; what is not known is missing."""
    counters = hub.counters()
    sources = {
        state["source"]: {"fps": state["fps"], "dropped": sum(state["dropped"].values())}
        for state in hub.states()
        if state["kind"] == "source"
    }
    machine: Dict[str, Any] = {}
    for key, value in counters.items():
        name, labels = parsed(key)
        if name == "serving_frame_age_seconds":
            _add_age(sources.get(labels.get("source", "")), labels, value)
        elif name == "serving_memory_bytes":
            machine["memory_mb"] = machine.get("memory_mb", 0.0) + value / 1e6
        elif name in _MACHINE:
            to, factor = _MACHINE[name]
            machine[to] = value * factor
    return {"sources": sources, "machine": machine}


def _add_age(source: Optional[Dict[str, Any]], labels: Mapping[str, str], value_s: float) -> None:
    to = _AGES.get(labels.get("quantile", ""))
    if source is not None and to:
        source[to] = round(value_s * 1000, 1)
