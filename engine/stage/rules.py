"""Evaluates the rule of a gate, such as `>= 0.85`: on this machine and in a cluster's pod."""

from typing import Optional


def holds(value: Optional[float], rule: str) -> Optional[bool]:
    """Return whether the value satisfies the rule.

    A missing value does not, unless the rule ends in `if measured`: then the result is None, unknown.
    """
    operator, bound, *condition = rule.split()
    if value is None:
        return None if condition else False
    threshold = float(bound)
    return {
        ">=": value >= threshold,
        "<=": value <= threshold,
        ">": value > threshold,
        "<": value < threshold,
        "==": value == threshold,
    }[operator]
