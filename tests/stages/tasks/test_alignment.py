"""Aligning faces: points land where they should, at any size and angle."""

import numpy as np
import pytest

from stages.tasks.alignment import TEMPLATE, aligned, similarity


def _turned(points, degrees, scale, shift):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


@pytest.mark.parametrize("degrees", [0, 30, -100])
def test_a_turn_scale_and_shift_are_found(degrees):
    there = _turned(TEMPLATE, degrees, 7, [3, -2])
    matrix = similarity(TEMPLATE, there)
    np.testing.assert_allclose(TEMPLATE @ matrix[:, :2].T + matrix[:, 2], there, atol=1e-9)


@pytest.mark.parametrize("side", [20, 60, 240])
def test_an_upright_face_is_only_scaled(side):
    shades = np.linspace(0, 240, side)
    picture = np.broadcast_to(shades[:, None, None], (side, side, 3)).astype(np.uint8)
    found = aligned(picture, TEMPLATE * side, TEMPLATE * 60, (60, 60))
    inner = found[6:-6, 30, 0].astype(float)
    wanted = np.interp((np.arange(60) + 0.5) / 60 * side - 0.5, np.arange(side), shades)[6:-6]
    assert found.shape == (60, 60, 3) and np.abs(inner - wanted).max() < 4


def test_a_turned_face_is_turned_back():
    side, scene = 60, np.zeros((200, 200, 3), np.uint8)
    points = _turned(TEMPLATE * side, 90, 1, [150, 50])
    x, y = np.round(points[0] - 0.5).astype(int)  # the first eye, as a bright spot
    scene[y - 2 : y + 3, x - 2 : x + 3] = 255
    found = aligned(scene, points, TEMPLATE * side, (side, side))[..., 0]
    middle = np.argwhere(found > 128).mean(0) + 0.5
    np.testing.assert_allclose(middle[::-1], TEMPLATE[0] * side, atol=1)


def test_beyond_the_picture_it_is_black():
    found = aligned(
        np.full((10, 10, 3), 200, np.uint8), TEMPLATE * 40 - 15, TEMPLATE * 40, (40, 40)
    )
    assert (found[0] == 0).all() and found[20, 20].tolist() == [200, 200, 200]
