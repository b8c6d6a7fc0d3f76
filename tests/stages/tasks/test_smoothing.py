"""The average over a clip's frames."""

import numpy as np
import pytest

from stages.tasks.smoothing import Average, kept_threshold

BEFORE, AFTER = np.float32([1, 0]), np.float32([0, 1])


def test_the_first_frame_counts_alone():
    assert Average().add(np.float32([0.2, 0.8]), 7.0).tolist() == np.float32([0.2, 0.8]).tolist()


def test_one_bad_frame_among_good_ones_changes_little():
    average = Average(0.3)
    for at in range(10):
        average.add(BEFORE, at / 30)
    assert average.add(AFTER, 10 / 30)[0] > 0.85


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_a_change_is_followed_within_the_same_time_at_every_frame_rate(fps):
    average = Average(0.3)
    average.add(BEFORE, 0.0)
    found = [float(average.add(AFTER, at / fps)[1]) for at in range(1, fps + 1)]
    assert found == sorted(found) and found[-1] > 0.85
    assert 0.4 < found[round(0.3 * fps) - 1] < 0.66


def test_after_a_pause_a_frame_counts_almost_alone():
    average = Average(0.3)
    average.add(BEFORE, 0.0)
    assert average.add(AFTER, 60.0)[1] > 0.99


def test_a_frame_of_the_same_moment_does_not_count():
    average = Average(0.3)
    average.add(BEFORE, 1.0)
    assert average.add(AFTER, 1.0).tolist() == [1, 0]


def test_what_was_above_a_threshold_may_fall_a_little_below():
    assert kept_threshold(0.5, False) == 0.5
    assert kept_threshold(0.5, True) == pytest.approx(0.45)
    assert kept_threshold(-0.5, True) == pytest.approx(-0.55)
