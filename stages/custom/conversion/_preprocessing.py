"""Converts the steps in front of an estimator: imputers and scalers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stages.custom.conversion._written import refused
from stages.estimators.archive import Written


def converted(step: Any) -> Written:
    """Return the step; StageError: it has no exact form."""
    name = type(step).__name__
    if name not in _KINDS or not type(step).__module__.startswith("sklearn."):
        raise refused(step, "it is not a preprocessing step with an exact form")
    return _KINDS[name](step)


def _imputer(step: Any) -> Written:
    missing = step.missing_values
    if not (isinstance(missing, float) and np.isnan(missing)):
        raise refused(step, f"it replaces {missing!r} instead of NaN", "Replace it in get_data()")
    if step.add_indicator:
        raise refused(step, "it adds indicators", "Set add_indicator=False")
    values = np.asarray(step.statistics_, np.float64)
    if np.isnan(values).any():
        raise refused(
            step, "a feature has no values at all", "Leave that feature out in get_data()"
        )
    return Written("impute", {}, {"values": values})


def _standard(step: Any) -> Written:
    size = step.n_features_in_
    mean = step.mean_ if step.with_mean else np.zeros(size)
    scale = step.scale_ if step.with_std else np.ones(size)
    return Written("standardise", {}, {"mean": mean, "scale": scale})


def _min_max(step: Any) -> Written:
    low, high = map(float, step.feature_range) if step.clip else (None, None)
    return Written(
        "stretch", {"low": low, "high": high}, {"factor": step.scale_, "offset": step.min_}
    )


_KINDS: dict[str, Callable[[Any], Written]] = {
    "SimpleImputer": _imputer,
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
}
