"""The threshold below which a window shows nobody."""

import numpy as np
import pytest

from stages.tasks.keypoints.presence import shows_nobody, threshold

LABELS = ["standing", "walking"]


def windows(*scores: float) -> np.ndarray:
    """(n, 4, 17, 3) windows whose joints all have these scores."""
    made = np.ones((len(scores), 4, 17, 3), np.float32)
    made[..., 2] = np.array(scores)[:, None, None]
    return made


def test_the_threshold_is_half_of_a_low_score_of_the_training() -> None:
    assert threshold(windows(*[0.3] * 9, *[0.7] * 41), LABELS) == pytest.approx(0.15)


def test_a_few_training_windows_without_a_person_do_not_lower_it() -> None:
    assert threshold(windows(*[0.05] * 2, *[0.3] * 98), LABELS) == pytest.approx(0.15)


def test_annotated_scores_of_1_do_not_raise_it_above_what_pose_models_give_people() -> None:
    assert threshold(windows(1.0, 1.0), LABELS) == 0.2


def test_an_activity_without_people_is_recognised_as_any_other() -> None:
    assert threshold(windows(*[0.05] * 10, *[0.6] * 10), ["empty", "walking"]) < 0.05


def test_an_activity_called_nothing_switches_it_off() -> None:
    assert threshold(windows(0.6, 0.6), ["nothing", "walking"]) == 0.0


def test_windows_below_the_threshold_show_nobody() -> None:
    found = shows_nobody(windows(0.05, 0.16, 0.6), {"nothing_below": 0.15})
    assert found.tolist() == [True, False, False]


def test_older_packages_have_no_threshold() -> None:
    assert shows_nobody(windows(0.0), {}).tolist() == [False]


def test_no_window_gives_no_answer() -> None:
    assert shows_nobody(windows(), {"nothing_below": 0.2}).shape == (0,)
