"""The figures of an evaluated detector, as numbers by name; `score` documents each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from stages.detection.evaluation import _operating
from stages.detection.evaluation._average_precision import RECALLS, SIZES, Evaluation, evaluate
from stages.detection.evaluation._errors import KINDS, Errors
from stages.evaluation import bootstrap
from stages.tasks.boxes import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.detection._truth import Truth


def all_of(
    found: Mapping[str, Evaluation], errors: Errors, thresholds: "NDArray[np.float32]"
) -> dict[str, float]:
    """Return the figures that need true boxes; found: "int8", "build" and, if there is one, "float"."""
    int8, build = found["int8"], found["build"]
    low, high = interval(int8)
    baseline = baseline_map50(int8.truth)
    pooled = _operating.all_counts(int8, thresholds)
    wanted = [int8.wanted(at).sum() for at in range(len(int8.truth.labels))]
    return {
        "map50": int8.map50,
        "map50_low": low,
        "map50_high": high,
        "map": int8.map,
        **_sizes(int8),
        **_beside_float(found),
        "precision": float(pooled.precision) if pooled.detected else 0.0,
        "recall": float(pooled.recall),
        "f1": float(pooled.f1),
        **{kind: float(errors.count(kind)) for kind in KINDS},
        "baseline_map50": baseline,
        "baseline_margin": int8.map50 - baseline,
        "map50_build": build.map50,
        "map50_delta": int8.map50 - build.map50,
        "untested_classes": float(sum(not count for count in wanted)),
    }


def interval(found: Evaluation) -> tuple[float, float]:
    """Return the 95 % interval of map50 by bootstrap over the pictures."""
    pictures = np.arange(len(found.truth))
    if found.map50 >= 1:  # then all draws are equal, as explained in share_interval
        return bootstrap.share_interval(np.ones(len(pictures)), pictures)
    return bootstrap.interval(found.weighted_map50, pictures)


def baseline_map50(truth: "Truth") -> float:
    """Return the map50 of always answering the mean box of the most frequent class."""
    wanted = ~truth.ignored
    frequent = int(np.bincount(truth.classes[wanted]).argmax())
    box = truth.boxes[wanted & (truth.classes == frequent)].mean(0, keepdims=True)
    answer = Detections(box, np.ones(1, np.float32), np.array([frequent]))
    return evaluate(truth, [answer] * len(truth)).map50


def _sizes(found: Evaluation) -> dict[str, float]:
    each = {f"map50_{name}": found.of_size(name)[0] for name in SIZES}
    return {name: value for name, value in each.items() if np.isfinite(value)}


def _beside_float(found: Mapping[str, Evaluation]) -> dict[str, float]:
    if "float" not in found:
        return {}
    floating, int8 = found["float"], found["int8"]
    drop = floating.map50 - int8.map50
    boxes = int((~int8.truth.ignored).sum())
    one_box = 1 / boxes + 1 / len(RECALLS)  # recall is rounded to one of RECALLS
    return {
        "float_map50": floating.map50,
        "float_map": floating.map,
        "map50_drop": drop,
        "map50_drop_beyond_one": drop if drop > one_box else 0.0,
    }
