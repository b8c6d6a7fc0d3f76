"""Display matrices, and the rotations that they define."""

import numpy as np
import pytest

from stages.media import orientation

ONE = 1 << 16
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 360, 88])
def test_a_clockwise_turn_is_undone_by_quarters(degrees: int) -> None:
    upright = orientation.of_clockwise_degrees(degrees).upright(PICTURE)
    np.testing.assert_array_equal(upright, np.rot90(PICTURE, -round(degrees / 90)))


def test_a_mirrored_matrix_mirrors_the_picture() -> None:
    matrix = (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    upright = orientation.of_matrix(matrix).upright(PICTURE)
    np.testing.assert_array_equal(upright, PICTURE[:, ::-1])


def test_a_transposing_matrix_exchanges_the_sides() -> None:
    matrix = (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30)
    upright = orientation.of_matrix(matrix).upright(PICTURE)
    np.testing.assert_array_equal(upright, PICTURE.transpose(1, 0, 2))


def test_an_angle_between_two_quarters_is_rounded() -> None:
    slightly_turned = (65000, 8000, 0, -8000, 65000, 0, 0, 0, 1 << 30)
    assert orientation.of_matrix(slightly_turned) == orientation.UPRIGHT
