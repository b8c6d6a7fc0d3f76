"""The predicted places of boxes."""

import numpy as np
import pytest

from stages.tasks.motion import Motion, centred, larger
from tests.stages.tasks.scenes import box


def _moved(fps, speed=60.0, seconds=2.0):
    """Return the motion of a box that was seen moving to the right."""
    motion = Motion()
    for at in range(round(fps * seconds) + 1):
        seen = np.array([box(100 + speed * at / fps, 200)])
        if not at:
            motion.add(seen)
            continue
        motion.advance(1 / fps, np.array([False]))
        motion.correct(np.array([0]), seen)
    return motion


@pytest.mark.parametrize("fps", [3, 10, 60])
def test_the_speed_is_found_at_every_frame_rate(fps):
    motion = _moved(fps)
    assert motion.speed[0, :2] == pytest.approx([0, 60], abs=6)
    assert motion.place[0] == pytest.approx([200, 220, 80, 40], abs=3)


def test_a_box_that_is_not_seen_slows_down_and_keeps_its_size():
    motion = _moved(10)
    for _ in range(100):
        motion.advance(0.1, np.array([True]))
    assert abs(motion.speed[0, 1]) < 1
    assert motion.place[0, 2:] == pytest.approx([80, 40], abs=3)
    assert 0 < motion.place[0, 1] - 220 < 150


def test_the_longer_a_box_is_not_seen_the_larger_it_is_grown():
    motion, widths = _moved(10), []
    for _ in range(10):
        motion.advance(0.1, np.array([True]))
        _, left, _, right = motion.boxes(0.3)[0]
        widths.append(right - left)
    assert widths == sorted(widths) and widths[-1] <= 40 * 1.6 + 2 * 40 * 1.6 + 40


def test_empty_and_turned_boxes_have_sides_of_a_pixel_at_least():
    found = centred(np.array([[5, 5, 5, 5], [9, 9, 1, 1]]))
    assert found[:, 2:].tolist() == [[1, 1], [1, 1]]


def test_a_larger_box_has_the_same_centre():
    assert larger(np.array([[0.0, 0, 10, 20]]), 0.5).tolist() == [[-5, -10, 15, 30]]


def test_without_boxes_nothing_moves():
    motion = Motion()
    motion.advance(1.0, np.zeros(0, bool))
    assert motion.boxes().shape == (0, 4) and len(motion) == 0
