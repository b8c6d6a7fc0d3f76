"""What a camera's network finds in the region that it saw is found in the frame."""

import numpy as np

from stages.tasks.region import WHOLE, boxes_in, points_in

MIDDLE = 0.0, 0.25, 1.0, 0.75


def test_points_are_moved_and_scaled_with_the_region():
    points = np.float32([[0, 0], [0.5, 0.5], [1, 1]])
    assert points_in(points, MIDDLE).tolist() == [[0, 0.25], [0.5, 0.5], [1, 0.75]]


def test_boxes_are_moved_by_their_corners():
    assert boxes_in(np.float32([[0.5, 0, 1, 0.5]]), MIDDLE).tolist() == [[0.5, 0.25, 1, 0.5]]
    assert boxes_in(np.zeros((0, 4), np.float32), MIDDLE).shape == (0, 4)


def test_in_the_whole_frame_nothing_moves():
    found = np.float32([[0.1, 0.2, 0.3, 0.4]])
    assert boxes_in(found, WHOLE) is found


def test_a_region_may_extend_beyond_the_frame():
    assert points_in(np.float32([0, 1]), (-0.5, 0, 1, 2)).tolist() == [-0.5, 2]
