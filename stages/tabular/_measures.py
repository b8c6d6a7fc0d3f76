"""Computes the figures of answers to the test rows, of the model and of its baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.evaluation import bootstrap, classifier, regression, roc, skill
from stages.tasks.columns.decision import Decision, Judged

SIMPLEST = ("majority", "median")


@dataclass(frozen=True)
class Tested:
    """Answers to the test rows: classes with probabilities (rows, classes), or numbers."""

    truth: NDArray[Any]  # (rows,)
    judged: Judged

    @classmethod
    def of(cls, output: NDArray[np.float32], truth: NDArray[Any], decision: Decision) -> "Tested":
        return cls(truth, decision.judge(output))

    @classmethod
    def predicted(cls, answers: NDArray[np.float64], truth: NDArray[Any]) -> "Tested":
        """Return the answers of a baseline: probabilities (rows, classes), or numbers (rows,)."""
        if answers.ndim == 1:
            return cls(truth, Judged(answers))
        best = answers.argmax(1).astype(np.float64)
        return cls(truth, Judged(best, answers.max(1), probabilities=answers))

    @property
    def is_right(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.judged.values == self.truth
        return found

    @property
    def wrong(self) -> NDArray[np.float64]:
        """Answer minus truth of numbers."""
        found: NDArray[np.float64] = self.judged.values - self.truth
        return found

    @property
    def accuracy(self) -> float:
        return float(self.is_right.mean())

    @property
    def mad(self) -> float:
        return float(np.abs(self.wrong).mean())

    @property
    def probabilities(self) -> NDArray[np.float64]:
        if self.judged.probabilities is None:
            raise ValueError("answers have no probabilities")
        return self.judged.probabilities

    def matrix(self, classes: int) -> classifier.Matrix:
        return classifier.confusion(self.truth, self.judged.values.astype(np.intp), classes)

    def auroc(self) -> float | None:
        """Return the area under the ROC, for more than two classes the mean of each against all others."""
        return roc.macro_area(self.probabilities, self.truth)


def of_classes(
    forms: Mapping[str, Tested],
    baselines: Mapping[str, Tested],
    classes: int,
    difference: Mapping[str, Any],
) -> dict[str, float]:
    """Return the figures of a classifier; forms: int8, build, and float if there is one."""
    int8, floating = forms["int8"], forms.get("float")
    found = classifier.metrics(
        int8.matrix(classes),
        bootstrap.share_interval(int8.is_right, range(len(int8.truth))),
        floating.accuracy if floating else None,
        forms["build"].accuracy,
        difference,
    )
    del found["majority_baseline"]
    named = {f"baseline_{name}": one.accuracy for name, one in baselines.items()}
    room = 1 - named["baseline_majority"]
    low, high = skill.share_interval(~int8.is_right, ~baselines["majority"].is_right)
    found |= named | {
        "baseline_margin": found["accuracy"] - named["baseline_majority"],
        "boosting_margin": found["accuracy"] - named["baseline_boosting"],
        "skill": (found["accuracy"] - named["baseline_majority"]) / room if room else 0.0,
        "skill_low": low,
        "skill_high": high,
    }
    return found | _areas(int8, floating, baselines, found["baseline_margin"])


def _areas(
    int8: Tested, floating: Tested | None, baselines: Mapping[str, Tested], margin: float
) -> dict[str, float]:
    """Return the areas under the ROC, if the test part has more than one class."""
    area = int8.auroc()
    if area is None:
        return {"chance_margin": margin}
    low, high = roc.macro_interval(int8.probabilities, int8.truth)
    found = {"auroc": area, "auroc_low": low, "auroc_high": high, "chance_margin": low - 0.5}
    if floating and (before := floating.auroc()) is not None:
        found |= {"float_auroc": before, "auroc_drop": before - area}
    for name, one in baselines.items():
        if name not in SIMPLEST and (theirs := one.auroc()) is not None:
            found[f"baseline_{name}_auroc"] = theirs
    return found


def of_numbers(
    forms: Mapping[str, Tested], baselines: Mapping[str, Tested], difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the figures of a regression; forms: int8, build, and float if there is one."""
    int8 = forms["int8"]
    found = regression.errors(int8.truth, int8.judged.values)
    named = {f"baseline_{name}": one.mad for name, one in baselines.items()}
    median, mad = named["baseline_median"], found["mad"]
    low, high = skill.interval(np.abs(int8.wrong), np.abs(baselines["median"].wrong))
    found |= named | {
        "baseline_margin": median - mad,
        "boosting_margin": named["baseline_boosting"] - mad,
        "chance_margin": median - mad,
        "skill": 1 - mad / median if median else 0.0,
        "skill_low": low,
        "skill_high": high,
        "test_examples": float(len(int8.truth)),
        "mad_build": forms["build"].mad,
        "mad_delta": mad - forms["build"].mad,
        **{name: float(difference[name]) for name in classifier.CARRIED},
    }
    if int8.judged.low is not None and int8.judged.high is not None:
        inside = (int8.judged.low <= int8.truth) & (int8.truth <= int8.judged.high)
        found["interval_coverage"] = float(inside.mean())
    if "float" in forms:
        found["float_mad"] = forms["float"].mad
        found |= _skill_drop(int8.wrong, forms["float"].wrong, median)
    return found


def _skill_drop(
    int8: NDArray[np.float64], floating: NDArray[np.float64], median: float
) -> dict[str, float]:
    """Return what quantisation costs, as a share of the median's mad; and 0 if it may be chance.

    int8, floating: answer minus truth (rows,)
    """
    lost = np.abs(int8) - np.abs(floating)
    drop = float(lost.mean()) / median if median else 0.0
    low, _ = bootstrap.mean_interval(lost)
    return {"skill_drop": drop, "skill_drop_beyond_chance": drop if low > 0 else min(drop, 0.0)}
