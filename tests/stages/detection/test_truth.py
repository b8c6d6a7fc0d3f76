"""The boxes of a part are read as they were written."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.detection import _truth
from stages.detection._truth import Truth


@pytest.fixture
def truth():
    """Three pictures: one box, none, two."""
    return Truth(
        boxes=np.array([[0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.6, 0.6]], np.float32),
        classes=np.array([1, 0, 1]),
        pictures=np.array([0, 2, 2]),
        ignored=np.array([False, False, True]),
        labels=["cat", "dog"],
        names=["a.jpg", "b.jpg", "c.jpg"],
        sizes=[(10, 20), (30, 40), (50, 60)],
    )


def test_it_is_read_as_it_was_written(truth, tmp_path):
    _truth.write(tmp_path, truth, ["0", "1", "2"])
    found = _truth.read(tmp_path)
    for name in ("boxes", "classes", "pictures", "ignored"):
        assert (getattr(found, name) == getattr(truth, name)).all()
    assert (found.labels, found.names, found.sizes) == (truth.labels, truth.names, truth.sizes)


def test_the_labels_are_also_a_file_for_the_package(truth, tmp_path):
    _truth.write(tmp_path, truth, ["0", "1", "2"])
    assert (tmp_path / "labels.txt").read_text() == "cat\ndog\n"


def test_a_picture_has_its_own_boxes(truth):
    one = truth.of(2)
    assert (one.names, one.sizes, one.classes.tolist()) == (["c.jpg"], [(50, 60)], [0, 1])
    assert (one.pictures.tolist(), one.ignored.tolist()) == ([0, 0], [False, True])


def test_a_picture_without_objects_has_no_boxes(truth):
    assert truth.of(1).boxes.shape == (0, 4)


def test_a_part_without_boxes_stays_readable(truth, tmp_path):
    nothing = truth.of(1)
    _truth.write(tmp_path, nothing, ["1"])
    assert _truth.read(tmp_path).boxes.shape == (0, 4)


def test_another_domains_part_is_refused(tmp_path):
    with pytest.raises(StageError, match=r"has no boxes of stages\.detection\.dataset"):
        _truth.read(tmp_path)
