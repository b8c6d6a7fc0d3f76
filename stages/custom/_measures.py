"""Measures of answers to the test examples, with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import bootstrap, classifier, regression, roc, skill
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

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Return those of classes (examples, classes)."""
        assert self.judged.probabilities is not None
        return self.judged.probabilities

    def matrix(self, classes: int) -> classifier.Matrix:
        return classifier.confusion(self.truth, self.judged.values.astype(np.intp), classes)


def tested(found: Outputs, truth: NDArray[Any], decision: Decision) -> Tested:
    """Return the answers that outputs give."""
    output = classifier.only_output(found.values(), len(truth), "a model", "examples")
    return Tested(decision.judge(output.reshape(len(output), -1)), truth)


def of_classes(
    forms: Mapping[str, Tested], classes: int, difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the metrics of a classifier.

    forms: int8 (the model as packed, also an estimator), build, and float if there is one
    """
    packed = forms["int8"]
    found = classifier.metrics(
        packed.matrix(classes),
        bootstrap.share_interval(packed.is_right, range(len(packed.truth))),
        float(forms["float"].is_right.mean()) if "float" in forms else None,
        float(forms["build"].is_right.mean()),
        difference,
    )
    found["baseline_majority"] = baseline = found.pop("majority_baseline")
    found["skill"] = found["baseline_margin"] / (1 - baseline) if baseline < 1 else 0.0
    most_frequent = packed.matrix(classes).sum(1).argmax()
    low, high = skill.share_interval(~packed.is_right, packed.truth != most_frequent)
    found |= {"skill_low": low, "skill_high": high}
    return {**found, **_area(packed, found["baseline_margin"])}


def _area(packed: Tested, margin: float) -> dict[str, float]:
    """Return the area under the ROC, if the test part has more than one class."""
    scores = packed.probabilities
    area = roc.macro_area(scores, packed.truth)
    if area is None:
        return {"chance_margin": margin}
    low, high = roc.macro_interval(scores, packed.truth)
    return {"auroc": area, "auroc_low": low, "auroc_high": high, "chance_margin": low - 0.5}


def of_amounts(
    forms: Mapping[str, Tested], median: float, difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the metrics of a regression; median: of the training values."""
    packed = forms["int8"]
    found = regression.errors(packed.truth, packed.judged.values)
    simplest = np.abs(packed.truth - median)
    baseline = float(simplest.mean())
    margin = baseline - found["mad"]
    low, high = skill.interval(np.abs(packed.errors), simplest)
    found |= {
        "baseline_median": baseline,
        "baseline_margin": margin,
        "chance_margin": margin,
        "skill": margin / baseline if baseline else 0.0,
        "skill_low": low,
        "skill_high": high,
        "test_examples": float(len(packed.truth)),
        **{name: float(difference[name]) for name in classifier.CARRIED},
    }
    if "float" in forms:
        original = float(np.abs(forms["float"].errors).mean())
        lost = found["mad"] - original
        found |= {"float_mad": original, "skill_drop": lost / baseline if baseline else 0.0}
    return found
