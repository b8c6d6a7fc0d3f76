"""The turn of a head, estimated from landmarks, and the check that a turning head passes and a photo fails."""

import numpy as np
import pytest

from stages.tasks.face_turn import turn
from stages.tasks.liveness import Turns

HEAD = np.array(  # in mm: right, down, towards the camera; eyes, nose, mouth, ears
    [[-31, 0, 0], [31, 0, 0], [0, 40, 25], [0, 75, 10], [-72, 20, -95], [72, 20, -95]], float
)


def _landmarks(points, degrees, roll=0.0):
    """Points of a head that is turned to the side, seen from far away, (6, 2)."""
    turned, rolled = np.radians(degrees), np.radians(roll)
    x = points[:, 0] * np.cos(turned) + points[:, 2] * np.sin(turned)
    flat = np.stack([x, points[:, 1]], 1)
    about = np.array([[np.cos(rolled), -np.sin(rolled)], [np.sin(rolled), np.cos(rolled)]])
    return flat @ about.T + 200


@pytest.mark.parametrize("degrees", [-40, -10, 0, 25])
@pytest.mark.parametrize("roll", [0, 20])
def test_the_turn_is_estimated_also_of_an_inclined_head(degrees, roll):
    assert turn(_landmarks(HEAD, degrees, roll)) == pytest.approx(degrees, abs=1)


def test_a_head_that_turns_to_both_sides_is_live():
    turns = Turns()
    found = [turns.is_live("ann", _landmarks(HEAD, degrees)) for degrees in (0, 20, -10, -25)]
    assert found == [False, False, False, True]


def test_a_flat_picture_is_not_live_however_it_is_turned():
    photo = np.concatenate([_landmarks(HEAD, 10), np.zeros((6, 1))], 1)
    turns = Turns()
    assert not any(turns.is_live("ann", _landmarks(photo, at)) for at in range(-60, 61, 5))


def test_people_are_checked_one_by_one():
    turns = Turns()
    assert not turns.is_live("ann", _landmarks(HEAD, -30))
    assert not turns.is_live("bob", _landmarks(HEAD, 30))
    assert not turns.is_live("ann", np.zeros((0, 2)))  # no landmarks
