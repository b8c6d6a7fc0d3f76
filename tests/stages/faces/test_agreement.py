"""How far two forms of a detector agree."""

import numpy as np
import pytest

from stages.faces._agreement import compare
from stages.tasks.blazeface import Found


def _found(*faces):
    """Faces of 40 x 40 pixels at (top, left), with landmarks that are `moved` pixels to the right."""
    boxes = np.float32([(top, left, top + 40, left + 40) for top, left, _ in faces]).reshape(-1, 4)
    eyes = np.float32([(10, 10), (30, 10), (20, 20), (20, 30), (0, 15), (40, 15)])
    landmarks = np.float32([eyes + np.float32([left + moved, top]) for top, left, moved in faces])
    return Found(boxes, np.ones(len(faces), np.float32), landmarks.reshape(-1, 6, 2))


def test_landmarks_are_compared_in_distances_between_the_eyes():
    found = compare([(_found((0, 0, 0), (50, 50, 0)), _found((50, 52, 0), (0, 0, 1)))])
    assert (found.faces, found.missed, found.added) == (2, 0, 0)
    assert found.landmark_error == pytest.approx((2 + 1) / 2 / 20)


def test_faces_that_only_one_form_finds_are_counted():
    found = compare([(_found((0, 0, 0)), _found()), (_found(), _found((0, 0, 0), (50, 50, 0)))])
    assert (found.faces, found.missed, found.added) == (1, 1, 2)
    assert np.isnan(found.landmark_error)
