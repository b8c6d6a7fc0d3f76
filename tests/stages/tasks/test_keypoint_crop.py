"""The square of a frame that the pose model gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.media.scaling import resized
from stages.tasks.keypoints.crop import Square, cut

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def _padded(picture, square, size):
    """Cut out of the picture in the middle of a black one three times as large."""
    height, width = picture.shape[:2]
    large = np.zeros((3 * height, 3 * width, 3), np.uint8)
    large[height : 2 * height, width : 2 * width] = picture
    side = max(1, round(square.side))
    top, left = round(square.y) + height, round(square.x) + width
    return resized(large[top : top + side, left : left + side], size, size)


@given(st.floats(-40, 60), st.floats(-30, 44), st.floats(0.2, 50))
def test_a_square_is_cut_out_and_black_outside_the_picture(x, y, side):
    square = Square(x, y, side)
    assert (cut(PICTURE, square, 24) == _padded(PICTURE, square, 24)).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_square_inside_the_picture_has_the_same_pixels_without_a_copy(mirrored):
    picture = PICTURE[:, ::-1] if mirrored else PICTURE
    found = cut(picture, Square(10, 8, 24), 24)
    assert (found == picture[8:32, 10:34]).all()
    assert np.shares_memory(found, picture)
