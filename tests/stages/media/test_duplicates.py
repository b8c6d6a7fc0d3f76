"""Pictures that are nearly the same have the same number; others have not."""

import io

import numpy as np
import pytest
from PIL import Image

from stages.media import duplicates
from stages.vision.picture_sample import picture_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Twelve different pictures (64, 64, 3)."""
    folder = tmp_path_factory.mktemp("sample") / "pictures"
    picture_sample(folder, each=3, side=64)
    return [np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))]


def _groups(*pictures):
    return duplicates.groups(np.stack([duplicates.thumbnail(one) for one in pictures]))


def test_different_pictures_are_apart(sample):
    assert len(set(_groups(*sample))) == len(sample)


@pytest.mark.parametrize("change", ["jpeg", "smaller", "darker", "itself"])
def test_another_copy_of_a_picture_is_with_it(sample, change):
    image = Image.fromarray(sample[0])
    if change == "jpeg":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=60)
        image = Image.open(file)
    elif change == "smaller":
        image = image.resize((48, 48))
    elif change == "darker":
        image = Image.fromarray((sample[0] * 0.8).astype(np.uint8))
    numbers = _groups(*sample, np.asarray(image))
    assert numbers[-1] == numbers[0]
    assert len(set(numbers)) == len(sample)


def test_a_chain_of_near_ones_is_one_group():
    angles = np.array([0.0, 0.15, 0.3, 1.5])  # cos 0.15 is 0.989, cos 0.3 is 0.955
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    first, second, third, other = duplicates.groups(vectors)
    assert first == second == third != other


@pytest.mark.timeout(10)
def test_a_burst_of_thousands_takes_no_longer_than_its_pictures():
    vectors = np.tile(np.eye(1, 256, dtype=np.float32), (4000, 1))  # 8 million pairs
    assert len(set(duplicates.groups(vectors))) == 1


def test_pictures_of_one_colour_are_like_each_other():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((20, 10, 3), 255, np.uint8)
    assert len(set(_groups(black, white))) == 1


def test_copies_must_be_alike_in_every_view():
    vectors = np.eye(256, dtype=np.float32)[[0, 0, 1]]
    others = np.eye(256, dtype=np.float32)[[0, 1, 1]]
    assert len(set(duplicates.groups(vectors))) == 2
    assert len(set(duplicates.groups(vectors, others))) == 3
