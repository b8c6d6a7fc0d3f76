"""Measures of answers to the test examples, with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import bootstrap, classifier, roc
from stages.tasks.columns.decision import Decision, Judged
from stages.tflite.outputs import Outputs


@dataclass(frozen=True)
class Tested:
    """The answers of one form of the model, and the truth: numbers of classes, or amounts."""

    judged: Judged
    truth: NDArray[Any]  # (examples,)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.judged.values == self.truth
        return found

    @property
    def errors(self) -> NDArray[np.float64]:
        """Return answer minus truth, of amounts."""
        found: NDArray[np.float64] = self.judged.values - self.truth
        return found

    def matrix(self, classes: int) -> classifier.Matrix:
        return classifier.confusion(self.truth, self.judged.values.astype(np.intp), classes)


def tested(found: Outputs, truth: NDArray[Any], decision: Decision) -> Tested:
    """Return the answers that outputs give."""
    output = classifier.only_output(found.values(), len(truth), "a model", "examples")
    return Tested(decision.judge(output.reshape(len(output), -1)), truth)


def of_classes(
    forms: Mapping[str, Tested], classes: int, difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the metrics of a classifier; forms: packed, build, and float if there is one."""
    packed = forms["packed"]
    interval = bootstrap.share_interval(packed.is_right, range(len(packed.truth)))
    original = float(forms["float"].is_right.mean()) if "float" in forms else None
    build = float(forms["build"].is_right.mean())
    found = classifier.metrics(packed.matrix(classes), interval, original, build, difference)
    errors = 1 - found["majority_baseline"]
    found["skill"] = found["baseline_margin"] / errors if errors else 0.0
    return {**found, **_auroc(packed, classes)}


def _auroc(packed: Tested, classes: int) -> dict[str, float]:
    """Return the area under the ROC of the second of two classes."""
    is_positive = packed.truth == 1
    if classes != 2 or not is_positive.any() or is_positive.all():
        return {}
    scores = positive_scores(packed)
    low, high = roc.area_interval(scores, is_positive)
    return {
        "auroc": roc.area(*roc.curve(scores, is_positive)),
        "auroc_low": low,
        "auroc_high": high,
    }


def positive_scores(packed: Tested) -> NDArray[Any]:
    """Return the probability of the second of two classes."""
    assert packed.judged.probabilities is not None
    return packed.judged.probabilities[:, 1]


def of_amounts(
    forms: Mapping[str, Tested], median: float, difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the metrics of a regression; median: of the training values."""
    packed = forms["packed"]
    deviations = np.abs(packed.errors)
    low, high = bootstrap.interval(
        lambda weights: weights @ deviations / weights.sum(1), range(len(deviations))
    )
    mad = float(deviations.mean())
    baseline = float(np.abs(packed.truth - median).mean())
    squares = packed.errors**2
    found = {
        "mad": mad,
        "mad_low": low,
        "mad_high": high,
        "rmse": float(np.sqrt(squares.mean())),
        "median_baseline": baseline,
        "baseline_margin": baseline - mad,
        "skill": 1 - mad / baseline if baseline else 0.0,
        "test_examples": float(len(deviations)),
        **{name: float(difference[name]) for name in classifier.CARRIED},
    }
    if spread := float(((packed.truth - packed.truth.mean()) ** 2).sum()):
        found["r2"] = 1 - float(squares.sum()) / spread
    if "float" in forms:
        original = float(np.abs(forms["float"].errors).mean())
        found["float_mad"] = original
        found["skill_drop"] = (mad - original) / baseline if baseline else 0.0
    return found
