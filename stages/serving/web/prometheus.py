"""Metrics in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Tuple

from stages.serving.events.counters import METRICS, base, named

TYPE = "text/plain; version=0.0.4; charset=utf-8"
OWN = {
    "serving_viewers": ("gauge", "Open streams of events and pictures over HTTP."),
    "serving_connections": ("gauge", "Open HTTP connections."),
    "serving_requests_total": ("counter", "Answered HTTP requests, by status."),
    "serving_refused_total": ("counter", "HTTP connections refused or ended, by cause."),
}
_SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?", re.ASCII | re.DOTALL)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,|$)', re.ASCII)


def parsed(key: str) -> Tuple[str, Dict[str, str]]:
    """Return the name and the labels of a metric; an empty name: it is malformed."""
    found = _SERIES.fullmatch(key)
    if not found:
        return "", {}
    pairs = _LABEL.findall(found.group(2) or "")
    return found.group(1), {label: _unescaped(value) for label, value in pairs}


def text(values: Mapping[str, float]) -> bytes:
    """Return the metrics, one family after the other."""
    families: Dict[str, List[str]] = {}
    for key, value in values.items():
        name, labels = parsed(key)
        if name:  # written anew, so that a badly escaped label cannot break the whole text
            line = f"{named(name, **labels)} {_number(value)}\n"
            families.setdefault(base(name), []).append(line)
    lines: List[str] = []
    for family in sorted(families):
        kind, explanation = {**METRICS, **OWN}.get(family, ("untyped", ""))
        if explanation:
            lines.append(f"# HELP {family} {explanation}\n")
        lines.append(f"# TYPE {family} {kind}\n")
        lines += families[family]
    return "".join(lines).encode("utf-8", "replace")


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
