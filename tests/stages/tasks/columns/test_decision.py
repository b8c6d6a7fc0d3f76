"""What a model's output means."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.columns.decision import Decision

LEVELS = Decision("quality", "regress", "levels", (3.0, 5.0, 9.0))


def _logits(*shares: float) -> list[float]:
    return np.log(shares).tolist()


@pytest.mark.parametrize(
    ("shares", "value", "low", "high"),
    [
        ((0.2, 0.6, 0.2), 5, 3, 9),
        ((0.05, 0.9, 0.05), 5, 5, 5),
        ((0.51, 0.001, 0.489), 3, 3, 9),
        ((1e-9, 1e-9, 1), 9, 9, 9),
    ],
)
def test_a_distribution_is_answered_with_its_median_and_interval(shares, value, low, high):
    judged = LEVELS.judge(np.array([_logits(*shares)]))
    assert (judged.values[0], judged.low[0], judged.high[0]) == (value, low, high)


def test_a_number_is_scaled():
    found = Decision("price", "regress", "value", mean=100.0, deviation=20.0)
    assert found.judge(np.array([[-1.5], [0.0]])).values.tolist() == [70, 100]


def test_a_class_has_its_probability():
    judged = Decision("state", "classify").judge(np.array([_logits(0.2, 0.7, 0.1)]))
    assert judged.values.tolist() == [1] and judged.scores[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    "found",
    [LEVELS, Decision("a", "classify"), Decision("a", "regress", "value", mean=2.0, deviation=0.5)],
)
def test_it_is_read_from_the_constants_that_it_writes(found):
    assert Decision.of({"size": 3, **found.as_constants()}) == found


@pytest.mark.parametrize(
    "about",
    [
        None,
        {},
        {"target": "a", "task": "guess"},
        {"target": 3, "task": "classify"},
        {"target": "a", "task": "regress"},
        {"target": "a", "task": "regress", "form": "levels", "levels": [1]},
        {"target": "a", "task": "regress", "form": "levels", "levels": [2, 1]},
        {"target": "a", "task": "regress", "form": "levels", "levels": ["x", "y"]},
        {"target": "a", "task": "regress", "form": "value", "mean": "x"},
        {"target": "a", "task": "regress", "form": "value", "deviation": 0},
        {"target": "a", "task": "classify", "novel": 1},
    ],
)
def test_constants_without_a_decision_that_makes_sense_are_refused(about):
    with pytest.raises(StageError, match=r"no 'decision'.*package the model again"):
        Decision.of({"decision": about})


def test_between_levels_a_quantile_is_interpolated():
    found = Decision("y", "regress", "levels", (0.0, 10.0, 20.0), between=True)
    with np.errstate(divide="ignore"):
        judged = found.judge(np.log(np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])))
    assert judged.values == pytest.approx([10.0, 5.0])
    assert judged.low is not None and judged.low[1] == 0.0  # half of a level's share lies below it
    assert Decision.of(found.as_constants()) == found
