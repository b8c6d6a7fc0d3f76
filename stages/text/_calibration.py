"""Finds on validation sentences from which confidence on an answer is given."""

import numpy as np
from numpy.typing import NDArray

from stages.tasks.head import softmax
from stages.tasks.text.decision import Decision

COVERAGE = 0.95  # share of the sentences in scope that is answered, if there are none out of scope
FEWEST_OUTSIDE = 5  # sentences out of scope that can calibrate anything
TEMPERATURES = np.geomspace(0.2, 5, 33)
LEVELS = np.linspace(0, 1, 41)  # quantiles of the highest logits, tried as the logit of nothing


def calibrated(
    logits: NDArray[np.float32], intents: NDArray[np.int64], coverage: float | None
) -> tuple[Decision, str]:
    """Return the decision, and what its threshold is based on.

    logits:   (n, classes) of validation sentences; intents: (n,) -1 for those out of scope
    coverage: share of the sentences in scope to be answered. None: if enough sentences out of scope
              are known, the threshold at which the shares of answered sentences in scope and of
              rejected ones out of scope have the highest sum; otherwise COVERAGE
    """
    is_inside = intents >= 0
    decision = _fitted(logits[is_inside], intents[is_inside], logits[~is_inside])
    confidence = decision.judge(logits).confidence
    inside, outside = confidence[is_inside], confidence[~is_inside]
    if coverage is None and len(outside) >= FEWEST_OUTSIDE:
        threshold = _balanced(inside, outside)
        basis = f"{len(inside)} sentences in scope and {len(outside)} out of scope"
    else:
        threshold = float(np.quantile(inside, 1 - (COVERAGE if coverage is None else coverage)))
        basis = f"{len(inside)} sentences in scope"
    threshold = (
        np.floor(threshold * 1e6) / 1e6
    )  # rounded down: the sentence that sets it is answered
    return Decision(float(threshold), decision.temperature, decision.nothing), basis


def _fitted(
    inside: NDArray[np.float32], truth: NDArray[np.int64], outside: NDArray[np.float32]
) -> Decision:
    """Return temperature and logit of nothing with the highest likelihood; both kinds weigh the same.

    Without sentences out of scope, nothing gets the logit that 95 % of the others exceed.
    Source of the temperature: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    levels = np.quantile(inside.max(1), LEVELS)
    if len(outside) < FEWEST_OUTSIDE:
        levels, outside = np.quantile(inside.max(1), [1 - COVERAGE]), outside[:0]
    tried = [
        (_loss(inside, truth, outside, temperature, nothing), temperature, nothing)
        for temperature in TEMPERATURES
        for nothing in levels
    ]
    _, temperature, nothing = min(tried)
    return Decision(0.0, round(float(temperature), 4), round(float(nothing), 4))


def _loss(
    inside: NDArray[np.float32],
    truth: NDArray[np.int64],
    outside: NDArray[np.float32],
    temperature: float,
    nothing: float,
) -> float:
    def likely(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
        column = np.full((len(logits), 1), nothing, np.float32)
        all_ = softmax(np.concatenate([logits, column], 1) / temperature)
        chosen = all_[np.arange(len(logits)), classes]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    classes = np.full(len(outside), inside.shape[1])
    return likely(inside, truth) + (likely(outside, classes) if len(outside) else 0.0)


def _balanced(inside: NDArray[np.float32], outside: NDArray[np.float32]) -> float:
    """Return the threshold with the highest sum of the shares inside >= it and outside < it.

    Of equal ones, the lowest.
    """
    tried = np.unique(inside)
    answered = 1 - np.searchsorted(np.sort(inside), tried) / len(inside)
    rejected = np.searchsorted(np.sort(outside), tried) / len(outside)
    return float(tried[np.argmax(answered + rejected)])
