"""Formats numbers for people."""

import math


def number(value: float | None, grouped: bool = False) -> str:
    """Return a metric with four significant digits; whole numbers in full, with thousands separated if
    `grouped`.
    """
    if value is None:  # a gate on a metric that its stage did not return
        return "none"
    if not math.isfinite(value) or abs(value) >= 1e12:
        return f"{value:.4g}"
    if value != int(value) and abs(value) < 1e3:
        return f"{value:.4g}"
    return f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}" if grouped else "")
