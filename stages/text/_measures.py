"""Computes the figures of an intent classifier from its judgement on the test sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.evaluation import bootstrap, classifier, roc
from stages.tasks.text.decision import Decision

CHUNK = 1024  # vectors that are compared at once


@dataclass(frozen=True)
class Tested:
    """The test sentences: what they are, and what one form of the model says about them."""

    truth: NDArray[np.int64]  # (n,) -1: out of scope
    classes: int
    threshold: float
    predicted: NDArray[np.intp]  # (n,) the most probable intent
    ranks: NDArray[
        np.intp
    ]  # (n,) of the true intent, from 0; of a sentence out of scope: meaningless
    confidence: NDArray[np.float32]  # (n,)
    probabilities: NDArray[np.float32]  # (n, classes)

    @classmethod
    def of(
        cls, logits: NDArray[np.float32], truth: NDArray[np.int64], decision: Decision
    ) -> "Tested":
        judged = decision.judge(logits)
        order = np.argsort(-judged.probabilities, axis=1, kind="stable")
        ranks = (order == truth[:, None]).argmax(1)
        classes = logits.shape[1]
        said = (order[:, 0], ranks, judged.confidence, judged.probabilities)
        return cls(truth, classes, decision.threshold, *said)

    @property
    def is_inside(self) -> NDArray[np.bool_]:
        return self.truth >= 0

    @property
    def is_right(self) -> NDArray[np.bool_]:
        return self.predicted == self.truth

    @property
    def is_answered(self) -> NDArray[np.bool_]:
        return self.confidence >= self.threshold

    @property
    def accuracy(self) -> float:
        """The share of the sentences in scope with the right intent, answered or not."""
        return float(self.is_right[self.is_inside].mean())

    @property
    def has_both(self) -> bool:
        """Whether there are sentences in scope and out of scope."""
        return bool(self.is_inside.any() and not self.is_inside.all())

    @property
    def matrix(self) -> classifier.Matrix:
        """The confusion matrix of the sentences in scope, (classes, classes)."""
        inside = self.is_inside
        return classifier.confusion(self.truth[inside], self.predicted[inside], self.classes)

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the rates of sentences out of scope and in scope that are answered."""
        return roc.curve(self.confidence, self.is_inside)

    def by_coverage(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return shares of the sentences in scope, most confident first, and their accuracy."""
        inside = np.flatnonzero(self.is_inside)
        order = inside[np.argsort(-self.confidence[inside], kind="stable")]
        counts = np.arange(1, len(order) + 1)
        return counts / len(order), np.cumsum(self.is_right[order]) / counts


def check(truth: NDArray[np.int64]) -> None:
    """Refuse a test part without sentences in scope; StageError."""
    if not (truth >= 0).any():
        raise StageError(
            "no test sentence has an intent, so no figure can be computed: add sentences to the "
            "intents, or assign some to the split `test`"
        )


def accuracy(
    tested: Mapping[str, Tested], centroid_accuracy: float, difference: Mapping[str, Any]
) -> dict[str, float]:
    """Return the figures of the sentences in scope for the forms "int8", "build" and, if present, "float"."""
    int8, floating = tested["int8"], tested.get("float")
    hits = int8.is_right[int8.is_inside]
    common = classifier.metrics(
        int8.matrix,
        bootstrap.share_interval(hits, range(len(hits))),
        floating.accuracy if floating else None,
        tested["build"].accuracy,
        difference,
    )
    return {
        **common,
        "top_3": float((int8.ranks[int8.is_inside] < 3).mean()),
        "centroid_accuracy": centroid_accuracy,
        "centroid_margin": common["accuracy"] - centroid_accuracy,
    }


def answers(int8: Tested, floating: Tested | None) -> dict[str, float]:
    """Return the figures of answering and rejecting; some are missing if nothing is out of scope."""
    inside, answered = int8.is_inside, int8.is_answered
    found = {"coverage": float(answered[inside].mean()), "oos_examples": float((~inside).sum())}
    if (inside & answered).any():
        found["answered_accuracy"] = float(int8.is_right[inside & answered].mean())
    if not int8.has_both:
        return found
    low, high = roc.area_interval(int8.confidence, inside)
    found |= {
        "oos_auroc": roc.area(*int8.roc()),
        "oos_auroc_low": low,
        "oos_auroc_high": high,
        "oos_rejected": float(1 - answered[~inside].mean()),
    }
    if floating:
        found["float_oos_auroc"] = roc.area(*floating.roc())
    return found


def centroid_accuracy(
    learnt: NDArray[np.uint8],
    intents: NDArray[np.int64],
    tested: NDArray[np.uint8],
    truth: NDArray[np.int64],
) -> float:
    """Return the accuracy of naming the intent whose mean training vector is nearest by angle.

    learnt, tested: (n, size) vectors of training and test sentences, which may be mapped into memory
    """
    rows = np.flatnonzero(intents >= 0)
    sums = np.zeros((intents.max() + 1, learnt.shape[1]), np.float32)
    for at in range(0, len(rows), CHUNK):
        chosen = rows[at : at + CHUNK]
        np.add.at(sums, intents[chosen], learnt[chosen].astype(np.float32))
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    inside, right = np.flatnonzero(truth >= 0), 0
    for at in range(0, len(inside), CHUNK):
        chosen = inside[at : at + CHUNK]
        nearest = (tested[chosen].astype(np.float32) @ sums.T).argmax(1)
        right += int((nearest == truth[chosen]).sum())
    return right / len(inside)
