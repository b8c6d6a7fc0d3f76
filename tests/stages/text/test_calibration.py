"""The calibration of confidence, on logits that were made with a known rule."""

import numpy as np
import pytest

from stages.text._calibration import calibrated


def _made(inside=400, outside=100, seed=0):
    """Logits of 3 intents: 4 plus noise for the true one, noise for all others."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 1, (inside + outside, 3)).astype(np.float32)
    intents = np.r_[chance.integers(0, 3, inside), np.full(outside, -1)]
    logits[np.arange(inside), intents[:inside]] += 4
    return logits, intents


def test_the_threshold_separates_sentences_in_scope_from_others():
    logits, intents = _made()
    decision, basis = calibrated(logits, intents, None)
    is_answered = decision.judge(logits).confidence >= decision.threshold
    assert is_answered[intents >= 0].mean() > 0.9
    assert is_answered[intents < 0].mean() < 0.1
    assert basis == "400 sentences in scope and 100 out of scope"


def test_without_sentences_out_of_scope_most_are_answered():
    logits, intents = _made(outside=0)
    decision, basis = calibrated(logits, intents, None)
    answered = (decision.judge(logits).confidence >= decision.threshold).mean()
    assert answered == pytest.approx(0.95, abs=0.01)
    assert basis == "400 sentences in scope"


def test_few_sentences_out_of_scope_calibrate_nothing():
    logits, intents = _made(outside=4)
    assert calibrated(logits, intents, None)[1] == "400 sentences in scope"


@pytest.mark.parametrize("coverage", [0.5, 0.8, 1.0])
def test_a_wanted_coverage_is_kept(coverage):
    logits, intents = _made()
    decision, _ = calibrated(logits, intents, coverage)
    confidence = decision.judge(logits).confidence[intents >= 0]
    assert (confidence >= decision.threshold).mean() == pytest.approx(coverage, abs=0.02)


def test_logits_of_another_scale_give_the_same_probabilities():
    logits, intents = _made()
    one, two = (calibrated(logits * scale, intents, None)[0] for scale in (1, 3))
    assert two.temperature == pytest.approx(3 * one.temperature, rel=0.15)
