"""The sample is annotated faithfully, and the same for the same seed."""

import numpy as np
import pytest

from stages.detection import detection_sample as sample


@pytest.fixture
def root(tmp_path):
    sample.detection_sample(tmp_path / "sample", count=30, side=64)
    return tmp_path / "sample"


def digest(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.*")}


def test_nothing_is_wrong_with_it(made, root):
    found = made(root)
    assert (found.counted(), found.notes) == ({}, [])
    assert found.part("train").labels == ["ball", "brick", "cone"]


def test_a_picture_shows_one_to_five_toys(made, root):
    truth = made(root).part("train")
    counts = np.bincount(truth.pictures, minlength=len(truth))
    assert (counts.min(), counts.max()) == (1, sample.MOST)


def test_the_seed_decides_every_byte(root, tmp_path):
    sample.detection_sample(tmp_path / "again", count=30, side=64)
    sample.detection_sample(tmp_path / "other", count=30, side=64, seed=8)
    assert digest(tmp_path / "again") == digest(root) != digest(tmp_path / "other")


def test_the_boxes_are_round_the_toys(made, root):
    found = made(root, size=128)
    truth, pixels = found.part("train"), np.load(found.folder / "train" / "picture.npy")
    alone = [row for row in range(len(truth)) if len(truth.of(row).boxes) == 1]
    assert alone
    for row in alone:
        colour = np.array(sample.TOYS[truth.labels[truth.of(row).classes[0]]][1], float)
        top, left, bottom, right = (truth.of(row).boxes[0] * 128).astype(int)
        middle = pixels[row, (top + bottom) // 2, (left + right) // 2].astype(float)
        likeness = middle @ colour / np.linalg.norm(middle) / np.linalg.norm(colour)
        assert likeness > 0.98
