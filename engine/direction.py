"""Whether more or less of a metric is better: its gate says so, or else its name."""

from collections.abc import Iterable

from engine import units

_ERRORS = {"loss", "error", "eer", "mae", "mse", "rmse"}  # words in the names of metrics


def better(metric: str, rules: Iterable[str]) -> int:
    """Return 1 if more of the metric is better, -1 if less is, 0 if that is unknown.

    rules: its gates, such as ">= 0.8"; without one, its unit decides.
    """
    for rule in rules:
        if rule[:1] in "<>":
            return 1 if rule.startswith(">") else -1
    return units.unit(metric).better


def is_minimised(metric: str, rules: Iterable[str]) -> bool:
    """Return whether less of an objective is better; unless something says so, that holds for errors."""
    known = better(metric, rules)
    return known < 0 or (not known and not _ERRORS.isdisjoint(metric.split("_")))
