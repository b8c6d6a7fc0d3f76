"""The units of metrics: a metric's name ends with its unit, and value and unit are shown separately.

Only this file knows the suffixes. A metric without a unit, such as accuracy, is written like its
gate: 0.98.
"""

import math
from dataclasses import dataclass

from engine.numerals import number

_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Unit:
    """How a quantity is written, and whether more or less of it is better."""

    name: str
    scale: float = 1.0  # factor for the displayed value
    better: int = 0  # 1: more is better, -1: less is better, 0: unknown


UNITS = {  # by the name's suffix; the longest match counts
    "_ms": Unit("ms", better=-1),
    "_us": Unit("µs", better=-1),
    "_s": Unit("s", better=-1),
    "_per_s": Unit("per s", better=1),
    "_fps": Unit("per s", better=1),
    "_bytes": Unit("bytes", better=-1),
    "_mb": Unit("MB", better=-1),
    "_share": Unit("%", scale=100),
    "_ratio": Unit("%", scale=100),
    "_percent": Unit("%"),
}
NO_UNIT = Unit("")
_SYMBOLS = {"r2": "R²", "eer": "Equal error rate", "map50": "mAP@0.5"}  # usual terms
_OVER_VALUES = {".mean": "mean", ".sd": "standard deviation"}  # over the values of a foreach
_STEPS = {  # larger units for headlines: the value from which each is used, and its size
    "bytes": ((1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB"), (0.0, 1.0, "bytes")),
    "ms": ((1e3, 1e3, "s"), (0.1, 1.0, "ms"), (0.0, 1e-3, "µs")),
}


def unit(metric: str) -> Unit:
    """Return the unit that the metric's name ends with."""
    name = metric.removesuffix(".mean").removesuffix(".sd")
    fitting = [suffix for suffix in UNITS if name.endswith(suffix)]
    return UNITS[max(fitting, key=len)] if fitting else NO_UNIT


def title(metric: str) -> str:
    """Return the metric's name in words, without its unit: `latency_median_ms` becomes Latency median."""
    for suffix, word in _OVER_VALUES.items():
        if metric.endswith(suffix):
            return f"{title(metric.removesuffix(suffix))}, {word}"
    found = max((suffix for suffix in UNITS if metric.endswith(suffix)), key=len, default="")
    words = metric.removesuffix(found).replace("_", " ").strip() or metric
    return _SYMBOLS.get(words) or words[:1].upper() + words[1:]


def exact(metric: str, value: float | None) -> str:
    """Return the value with its unit: "126 880 bytes"."""
    kind = unit(metric)
    return _with(number(_scaled(value, kind), grouped=True), kind.name if value is not None else "")


def brief(metric: str, value: float) -> str:
    """Return the value for a headline: three digits, and a unit that keeps it short."""
    kind = unit(metric)
    if kind.name in _STEPS and math.isfinite(value):
        _, worth, name = next(one for one in _STEPS[kind.name] if abs(value) >= one[0])
        return _with(_three(value / worth), name)
    return _with(_three(kind.scale * value), kind.name)


def share(value: float, decimals: int = 3) -> str:
    """Return a value without a unit, with the same number of decimals as its interval:
    "1.000".
    """
    return f"{value:.{decimals}f}" if abs(value) < 10 else _three(value)


def _scaled(value: float | None, kind: Unit) -> float | None:
    return value if value is None or kind.scale == 1 else round(value * kind.scale, 6)


def _three(value: float) -> str:
    if not math.isfinite(value) or value == int(value) or abs(value) >= 1000:
        return number(round(value) if math.isfinite(value) else value, grouped=True)
    return f"{value:.3g}"


def _with(words: str, name: str) -> str:
    return f"{words}{_SPACE}{name}" if name else words
