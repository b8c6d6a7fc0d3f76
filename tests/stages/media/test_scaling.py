"""Sizes of pictures, with either library."""

import sys

import numpy as np
import pytest

from engine.stage import StageError
from stages.media import scaling

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("size", [(30, 20), (120, 80)])
def test_pillow_gives_what_opencv_gives(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_opencv = scaling.resized(PICTURE, *size)
    monkeypatch.setitem(sys.modules, "cv2", None)
    by_pillow = scaling.resized(PICTURE, *size)
    assert by_pillow.shape == (size[1], size[0], 3)
    assert np.abs(by_pillow.astype(int) - by_opencv).max() <= 2


def test_without_either_library_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cv2", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StageError, match="needs OpenCV or Pillow"):
        scaling.resized(PICTURE, 10, 10)


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [(2, (40, 120)), (0.5, (80, 60)), (1.001, (40, 60)), (0, (40, 60)), (9, (40, 60))],
)
def test_pixels_become_square_by_stretching(aspect: float, shape: tuple[int, int]) -> None:
    assert scaling.with_square_pixels(PICTURE, aspect).shape[:2] == shape
