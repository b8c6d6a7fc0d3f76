"""The decision on an intent, on logits whose probabilities are known."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.text.decision import Decision, outputs

DECISION = Decision(threshold=0.5, temperature=1.0, nothing=0.0)
LOGITS = np.log(np.float32([[3, 1], [0.02, 0.01]]))


def test_the_probabilities_are_those_of_the_intents_alone():
    assert DECISION.judge(LOGITS).probabilities[0] == pytest.approx([0.75, 0.25])


def test_the_confidence_competes_with_nothing():
    # nothing has the weight exp(0) = 1
    assert DECISION.judge(LOGITS).confidence == pytest.approx([3 / 5, 0.02 / 1.03])


def test_a_higher_temperature_makes_everything_less_certain():
    warm = Decision(0.5, 4.0, -1.0)
    assert warm.judge(LOGITS).probabilities[0].max() < 0.75


def test_constants_give_the_decision_back():
    assert Decision.of(DECISION.as_constants()) == DECISION


@pytest.mark.parametrize(
    "constants",
    [
        {},
        {"decision": 0.5},
        {"decision": {"threshold": 0.5, "temperature": 1}},
        {"decision": {"threshold": 0.5, "temperature": 0, "nothing": 1}},
        {"decision": {"threshold": "0.5", "temperature": 1, "nothing": 1}},
    ],
)
def test_constants_without_a_decision_are_refused(constants):
    with pytest.raises(StageError, match="no 'decision' with threshold, temperature, nothing"):
        Decision.of(constants)


def test_the_model_has_an_output_for_each_intent():
    assert outputs(7) == 7
