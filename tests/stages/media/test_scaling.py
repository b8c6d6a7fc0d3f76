"""Sizes of pictures, with either library."""

import sys

import numpy as np
import pytest

from engine.stage import StageError
from stages.media import scaling

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def test_pixels_do_not_depend_on_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    here = scaling.resized(PICTURE, 37, 23)
    monkeypatch.setitem(sys.modules, "cv2", None)  # as in the images for devices
    assert np.array_equal(here, scaling.resized(PICTURE, 37, 23))


def test_a_smaller_picture_is_antialiased() -> None:
    stripes = np.zeros((40, 60, 3), np.uint8)
    stripes[:, ::2] = 200
    small = scaling.resized(stripes, 23, 40)[:, 1:-1]  # edges aside
    assert np.abs(small.astype(int) - 100).max() <= 20


@pytest.mark.parametrize("size", [(30, 20), (120, 80)])
def test_without_pillow_opencv_does_it(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = np.repeat(np.arange(0, 240, 4, np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    by_pillow = scaling.resized(smooth, *size)
    monkeypatch.setitem(sys.modules, "PIL", None)
    by_opencv = scaling.resized(smooth, *size)
    assert by_opencv.shape == by_pillow.shape
    assert np.abs(by_pillow.astype(int) - by_opencv).max() <= 3


def test_without_either_library_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cv2", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StageError, match="needs Pillow or OpenCV"):
        scaling.resized(PICTURE, 10, 10)


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [(2, (40, 120)), (0.5, (80, 60)), (1.001, (40, 60)), (0, (40, 60)), (9, (40, 60))],
)
def test_pixels_become_square_by_stretching(aspect: float, shape: tuple[int, int]) -> None:
    assert scaling.with_square_pixels(PICTURE, aspect).shape[:2] == shape
