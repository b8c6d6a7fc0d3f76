"""The numbers that the page shows, from states and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from stages.serving.web.prometheus import parsed

if TYPE_CHECKING:
    from stages.serving.interfaces import Hub

_AGES = {"0.5": "age_p50_ms", "0.95": "age_p95_ms", "0.99": "age_p99_ms"}
_MACHINE = {
    "serving_temperature_celsius": "temperature_c",
    "serving_throttled": "throttled",
    "serving_undervoltage": "undervoltage",
}


def numbers_of(hub: Hub) -> Dict[str, Any]:
    """Return numbers by source, and those of the machine; what is not known is missing."""
    sources: Dict[str, Dict[str, float]] = {}
    machine: Dict[str, float] = {}
    for key, value in hub.counters().items():
        name, labels = parsed(key)
        if name == "serving_frame_age_seconds" and labels.get("quantile") in _AGES:
            of_source = sources.setdefault(labels.get("source", ""), {})
            of_source[_AGES[labels["quantile"]]] = round(value * 1000, 1)
        elif name == "serving_memory_bytes":
            machine["memory_mb"] = machine.get("memory_mb", 0.0) + value / 1e6
        elif name in _MACHINE:
            machine[_MACHINE[name]] = float(value)
    return {"sources": sources, "machine": machine}
