"""Augmentation: the boxes move with the pixels."""

import importlib.util

import numpy as np
import pytest

from stages.detection.training._matching import Boxes

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

SIDE = 100


@pytest.fixture(scope="module")
def seen():
    """Thirty augmented pictures of a white square on black, and their boxes."""
    from stages.detection.training import _augment

    pictures = np.zeros((30, SIDE, SIDE, 3), np.uint8)
    pictures[:, 30:60, 20:70] = 255
    truth = [
        Boxes(np.float32([[0.3, 0.2, 0.6, 0.7]]), np.zeros(1, np.int64), np.zeros(1, bool))
    ] * 30
    alone = _augment.Strength(flip=True, zoom=2.0, mosaic=0)
    return _augment.augmented(pictures, truth, alone, np.random.default_rng(0))


def _extent(picture):
    """Return the box around the bright pixels, as shares."""
    middle = (picture.min() + picture.max()) / 2
    y, x = np.nonzero(picture.mean(2) > middle)
    return np.array([y.min(), x.min(), y.max() + 1, x.max() + 1]) / SIDE


def test_a_box_stays_around_its_object(seen):
    checked = 0
    for picture, one in zip(*seen, strict=True):
        if len(one.boxes) and not one.ignored.any():
            assert np.abs(_extent(picture) - one.boxes[0]).max() < 0.03
            checked += 1
    assert checked > 20


def test_some_pictures_are_mirrored(seen):
    centres = [one.boxes[0, [1, 3]].mean() for one in seen[1] if len(one.boxes)]
    assert min(centres) < 0.45
    assert max(centres) > 0.55


def test_pixels_stay_within_their_range(seen):
    assert seen[0].dtype == np.float32
    assert (seen[0].min(), seen[0].max()) >= (0, 0)
    assert seen[0].max() <= 255


def test_the_same_generator_gives_the_same_pictures():
    from stages.detection.training import _augment

    pictures = np.random.default_rng(1).integers(0, 255, (2, 40, 40, 3)).astype(np.uint8)
    empty = [Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))] * 2
    strength = _augment.Strength(flip=True, zoom=2.0, mosaic=0.5)
    first, second = (
        _augment.augmented(pictures, empty, strength, np.random.default_rng(5))[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_a_box_that_is_mostly_outside_is_ignored_or_dropped():
    from stages.detection.training import _augment

    view = _augment.View(np.array([[0.5, 0.0]]), np.array([[0.5, 1.0]]), np.array([False]))
    boxes = np.float32([[0.4, 0, 0.6, 1], [0.2, 0, 0.6, 1], [0, 0, 0.4, 1]])
    one = Boxes(boxes, np.arange(3), np.zeros(3, bool))
    found = _augment._boxes(one, view, 0)
    assert found.classes.tolist() == [0, 1]
    assert found.ignored.tolist() == [False, True]
    np.testing.assert_allclose(found.boxes[0], [0, 0, 0.2, 1], atol=1e-6)


def test_four_pictures_are_joined_with_their_boxes():
    from stages.detection.training import _augment

    pictures = np.zeros((4, SIDE, SIDE, 3), np.float32)
    for at in range(4):
        pictures[at, 20:60, 40:80] = 50 * (at + 1)
    one = Boxes(np.float32([[0.2, 0.4, 0.6, 0.8]]), np.zeros(1, np.int64), np.zeros(1, bool))
    joined, truth = _augment._joined(pictures, [one] * 4, 0.5, np.random.default_rng(3))
    quartered = [at for at in range(4) if len(truth[at].boxes) == 4]
    assert 0 < len(quartered) < 4
    for picture, boxes in zip(joined[quartered], (truth[at] for at in quartered), strict=True):
        for box in (boxes.boxes * SIDE).round().astype(int):
            inside = picture[box[0] : box[2], box[1] : box[3]]
            assert inside.min() == inside.max() > 0
    assert (joined[quartered] > 0).mean() == pytest.approx((pictures > 0).mean(), abs=0.01)
