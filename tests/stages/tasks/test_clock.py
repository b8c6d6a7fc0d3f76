"""The time of frames: given or assumed, and never going back."""

import math

import pytest

from stages.tasks.clock import USUAL_FRAME_S, Clock
from stages.tasks.task import set_time


def _ticks(*times_s):
    clock = Clock()
    found = []
    for time_s in times_s:
        set_time(clock, time_s)
        found.append(clock.tick())
    return found


def test_frames_with_times_have_these():
    assert _ticks(10.0, 10.5, 12.0) == [10.0, 10.5, 12.0]


def test_frames_without_times_are_a_30th_of_a_second_apart():
    assert _ticks(None, None, None) == [0, USUAL_FRAME_S, 2 * USUAL_FRAME_S]


def test_a_time_belongs_to_one_frame():
    clock = Clock()
    set_time(clock, 5.0)
    assert (clock.tick(), clock.tick()) == (5.0, 5.0 + USUAL_FRAME_S)


def test_after_a_jump_back_time_goes_on_from_the_last_frame():
    found = _ticks(100.0, 101.0, 0.0, 0.5)
    assert found == pytest.approx([100.0, 101.0, 101.0 + USUAL_FRAME_S, 101.5 + USUAL_FRAME_S])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_unknown(bad):
    assert _ticks(1.0, bad, 2.0) == [1.0, 1.0 + USUAL_FRAME_S, 2.0]


def test_a_state_without_a_clock_needs_no_time():
    set_time(None, 1.0)
    set_time(object(), 1.0)
