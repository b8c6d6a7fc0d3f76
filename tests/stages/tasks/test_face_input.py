"""The face that an embedder needs: where eyes, nose and mouth are, and the range of the values."""

import numpy as np

from stages.tasks.alignment import TEMPLATE
from stages.tasks.face_input import FaceInput


def test_constants_are_read_back():
    wanted = FaceInput(112, 96, 0.9, 0.1, 127.5, 128.0)
    assert FaceInput.of(wanted.constants()) == wanted


def test_by_default_the_face_is_where_dlib_has_it():
    np.testing.assert_allclose(FaceInput(150, 150).points, TEMPLATE * 150)


def test_a_narrower_picture_is_the_middle_of_a_square_one():
    square, narrow = FaceInput(112, 112).points, FaceInput(112, 96).points
    np.testing.assert_allclose(square - narrow, [[8, 0]] * 4)


def test_a_smaller_face_has_the_same_centre():
    small = FaceInput(100, 100, scale=0.5).points
    np.testing.assert_allclose(small.mean(0), TEMPLATE.mean(0) * 100)
    np.testing.assert_allclose(np.ptp(small, 0), np.ptp(TEMPLATE, 0) * 50)


def test_pixels_are_values_unless_the_network_scales_them():
    pixels = np.uint8([[[0, 128, 255]]])
    assert FaceInput(9, 9).values(pixels) is pixels and FaceInput(9, 9).scaling == {}
    scaled = FaceInput(9, 9, mean=128.0, deviation=2.0).values(pixels)
    assert scaled.tolist() == [[[-64.0, 0.0, 63.5]]]


def test_without_landmarks_the_picture_is_stretched():
    picture = np.full((20, 40, 3), 7, np.uint8)
    assert FaceInput(32, 24).aligned(picture, np.zeros((0, 2))).shape == (32, 24, 3)
