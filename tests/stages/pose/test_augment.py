"""Augmented training windows: seeded, of the same shape, and with unchanged scores."""

import numpy as np
import pytest

from stages.pose._augment import augmented
from stages.tasks.keypoints.encoding import limbs
from stages.tasks.keypoints.skeletons import COCO17

COCO = list(COCO17)


@pytest.fixture
def windows() -> np.ndarray:
    """(6, 8, 17, 3) in pixels, each joint with its own score."""
    random = np.random.default_rng(1)
    points = random.uniform(0, 200, (6, 1, 17, 3)) + random.normal(0, 2, (6, 8, 17, 3))
    points[..., 2] = np.linspace(0.1, 0.9, 17)
    return points.astype(np.float32)


def made(windows: np.ndarray, seed: int = 0, limb_swap: float = 0.0) -> np.ndarray:
    return augmented(windows, COCO, limb_swap, np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_windows_and_another_does_not(windows: np.ndarray) -> None:
    assert (made(windows) == made(windows)).all()
    assert (made(windows) != made(windows, seed=1)).any()


def test_the_windows_given_are_left_as_they_were(windows: np.ndarray) -> None:
    before = windows.copy()
    made(windows, limb_swap=1.0)
    assert (windows == before).all()


@pytest.mark.parametrize("window", [1, 8])
def test_form_and_scale_stay(windows: np.ndarray, window: int) -> None:
    given = windows[:, :window]
    new = made(given)
    assert (new.shape, new.dtype) == (given.shape, np.float32)
    assert np.allclose(new[..., :2].mean((1, 2)), given[..., :2].mean((1, 2)), atol=60)
    assert 0.5 < new[..., :2].std() / given[..., :2].std() < 2


def test_a_picture_is_not_warped_in_time_and_keeps_its_scores(windows: np.ndarray) -> None:
    assert (made(windows[:, :1])[..., 2] == windows[:, :1, :, 2]).all()


def test_swapped_limbs_take_their_scores_along(windows: np.ndarray) -> None:
    new = made(windows[:, :1], limb_swap=1.0)
    for part in ("arm", "leg"):
        left, right = limbs(COCO, part)
        assert (new[:, :, left, 2] == windows[:, :1, right, 2]).all()
    assert (new[:, :, 0, 2] == windows[:, :1, 0, 2]).all()
