"""The time that a stage still needs."""

import pytest

from engine.pace import Pace


def _paced(*reports: tuple[float, float], total: float = 10) -> Pace:
    """The pace of a stage that started at 0 s and reported its progress at these seconds."""
    pace = Pace()
    pace.show({"event": "job_started", "stage": "a", "time": 0.0})
    for time, done in reports:
        pace.show({"event": "progress", "stage": "a", "time": time, "done": done, "total": total})
    return pace


@pytest.mark.parametrize(
    ("reports", "now_s", "left_s"),
    [
        ([], 5.0, None),
        ([(44.0, 1)], 44.0, None),  # TensorFlow took 43 s to start, perhaps
        ([(20.0, 1), (22.0, 2)], 22.0, 16.0),  # starting up is not counted
        ([(20.0, 1), (22.0, 2)], 25.0, 13.0),
        ([(20.0, 1), (22.0, 2)], 99.0, 0.0),
        ([(20.0, 1), (22.0, 10)], 22.0, None),
        ([(20.0, 2), (22.0, 1)], 22.0, None),
        ([(20.0, 0)], 20.0, None),
    ],
)
def test_the_time_left_follows_the_pace_since_the_first_report(reports, now_s, left_s):
    assert _paced(*reports).left_s("a", now_s) == left_s


def test_another_attempt_begins_anew():
    pace = _paced((4.0, 2))
    pace.show({"event": "job_started", "stage": "a", "time": 5.0})
    assert pace.left_s("a", 6.0) is None


def test_a_stage_that_is_unknown_has_no_time_left():
    assert _paced().left_s("b", 1.0) is None
