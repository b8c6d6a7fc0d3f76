"""The numbers that the page shows, from the hub's metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Dict, Mapping

from stages.serving.web.prometheus import parsed

if TYPE_CHECKING:
    from stages.serving.interfaces import Hub

FRESH_S = 0.5
_AGES = {"0.5": "age_p50_ms", "0.95": "age_p95_ms", "0.99": "age_p99_ms"}
_MACHINE = {
    "serving_temperature_celsius": "temperature_c",
    "serving_throttled": "throttled",
    "serving_undervoltage": "undervoltage",
}


class Recent:
    """The hub's metrics, computed at most twice a second: many viewers ask, and quantiles take time."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._values: Dict[str, float] = {}
        self._read_s = float("-inf")

    def values(self) -> Dict[str, float]:
        """Return the metrics, at most FRESH_S old."""
        now_s = time.monotonic()
        if now_s - self._read_s >= FRESH_S:
            self._values, self._read_s = self._hub.counters(), now_s
        return self._values


def numbers_of(metrics: Mapping[str, float]) -> Dict[str, Any]:
    """Return numbers by source, and those of the machine; what is not known is missing."""
    sources: Dict[str, Dict[str, float]] = {}
    machine: Dict[str, float] = {}
    for key, value in metrics.items():
        name, labels = parsed(key)
        if name == "serving_frame_age_seconds" and labels.get("quantile") in _AGES:
            of_source = sources.setdefault(labels.get("source", ""), {})
            of_source[_AGES[labels["quantile"]]] = round(value * 1000, 1)
        elif name == "serving_memory_bytes":
            machine["memory_mb"] = machine.get("memory_mb", 0.0) + value / 1e6
        elif name in _MACHINE:
            machine[_MACHINE[name]] = float(value)
    return {"sources": sources, "machine": machine}
