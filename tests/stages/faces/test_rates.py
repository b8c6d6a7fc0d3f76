"""Error rates from cosines: equal error, strangers, and the threshold for a share of them."""

import numpy as np
import pytest

from stages.faces import _rates


def _pairs(angles, people):
    radians = np.radians(angles)
    return _rates.Pairs(np.stack([np.cos(radians), np.sin(radians)], 1), np.int64(people))


def test_people_apart_have_no_equal_error():
    pairs = _pairs([0, 5, 90, 95], [0, 0, 1, 1])
    assert pairs.is_same.sum() == 2 and pairs.equal_error() == 0


def test_swapped_people_are_all_wrong():
    assert _pairs([0, 90, 2, 92], [0, 0, 1, 1]).equal_error() == pytest.approx(0.5, abs=0.26)


def test_the_rates_fall_and_rise_with_the_threshold():
    thresholds, matched, missed = _pairs([0, 30, 40, 90, 100, 170], [0, 0, 1, 1, 2, 2]).rates()
    assert (np.diff(thresholds) >= 0).all()
    assert (np.diff(matched) <= 0).all() and (np.diff(missed) >= 0).all()


def test_the_weighted_error_of_all_faces_is_the_equal_error():
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 4)
    pairs = _pairs(people * 20 + random.normal(0, 12, 48), people)
    [found] = pairs.equal_error_of(np.ones((1, 48)))
    assert found == pytest.approx(pairs.equal_error(), abs=0.03)


def test_a_stranger_is_compared_with_everyone_else():
    similar = np.float32([[0.9, 0.2, 0.5], [0.1, 0.8, 0.3]])
    assert _rates.strangers(similar, np.int64([0, 1])).tolist() == pytest.approx([0.5, 0.3])
    assert similar[0, 0] == np.float32(0.9)


@pytest.mark.parametrize(("share", "accepted"), [(0.01, 0), (0.1, 1), (0.25, 2)])
def test_a_threshold_accepts_no_more_than_the_share(share, accepted):
    highest = np.float32([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    assert (highest >= _rates.threshold(highest, share)).sum() == accepted


def test_a_threshold_keeps_away_from_strangers_if_enrolled_people_allow_it():
    strangers = np.float32([0.1, 0.3, 0.5])
    assert _rates.threshold(strangers, 0.01, np.float32([0.9] * 200)) == pytest.approx(0.7)
    assert _rates.threshold(strangers, 0.01, np.float32([0.4] * 200)) == pytest.approx(0.5)
