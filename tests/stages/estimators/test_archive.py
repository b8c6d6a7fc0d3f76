"""Estimators as files: the same bytes for the same steps, and no damage that goes unnoticed."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.estimators import archive
from stages.estimators.archive import Written

SCALE = Written("standardise", {}, {"mean": np.array([1.0, 2.0]), "scale": np.array([2.0, 4.0])})
DENSE = Written(
    "dense",
    {"activation": "relu"},
    {"weights": np.array([[1.0, -1.0], [1.0, 1.0]]), "bias": np.array([0.0, 0.5])},
)
TREE = Written(
    "trees",
    {"depth": 1, "divisor": 1.0, "outputs": 1, "features": 2, "is_single": False},
    {
        "roots": np.array([0], np.int32),
        "feature": np.array([1, 0, 0], np.int32),
        "threshold": np.array([0.5, 0, 0]),
        "left": np.array([1, 1, 2], np.int32),
        "right": np.array([2, 1, 2], np.int32),
        "missing_left": np.array([True, False, False]),
        "leaf": np.array([0, 0, 1], np.int32),
        "values": np.array([[10.0], [20.0]]),
        "start": np.array([1.0]),
    },
)


def test_steps_follow_one_another(tmp_path):
    archive.write(tmp_path / "a.npz", [SCALE, DENSE], 2, 2)
    made = archive.read(tmp_path / "a.npz")
    assert made.predict(np.array([[3.0, 6.0], [1.0, -2.0]])).tolist() == [[2.0, 0.5], [0.0, 0.0]]


def test_a_row_goes_left_or_right_and_a_missing_value_as_in_training(tmp_path):
    archive.write(tmp_path / "a.npz", [TREE], 2, 1)
    rows = np.array([[0.0, 0.5], [0.0, 0.6], [0.0, np.nan]])
    assert archive.read(tmp_path / "a.npz").predict(rows).tolist() == [[11.0], [21.0], [11.0]]


def test_the_other_steps(tmp_path):
    impute = Written("impute", {}, {"values": np.array([7.0])})
    stretch = Written(
        "stretch",
        {"low": 0.0, "high": 1.0},
        {"factor": np.array([0.1]), "offset": np.array([0.0])},
    )
    archive.write(tmp_path / "a.npz", [impute, stretch, Written("against_zero", {}, {})], 1, 2)
    found = archive.read(tmp_path / "a.npz").predict(np.array([[np.nan], [20.0]]))
    assert found == pytest.approx(np.array([[0, 0.7], [0, 1]]))


def test_no_rows_have_no_outputs(tmp_path):
    archive.write(tmp_path / "a.npz", [SCALE], 2, 2)
    assert archive.read(tmp_path / "a.npz").predict(np.zeros((0, 2))).shape == (0, 2)


def test_the_same_steps_are_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        archive.write(tmp_path / name, [SCALE, DENSE], 2, 2)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    "steps",
    [
        [Written("magic", {}, {})],
        [SCALE, TREE],
        [Written("dense", {"activation": "sine"}, DENSE.arrays)],
        [Written("dense", {"activation": "relu"}, {"weights": np.ones((2, 2))})],
        [Written("trees", TREE.about, {**TREE.arrays, "left": np.array([1, 9, 2], np.int32)})],
        [Written("trees", TREE.about, {**TREE.arrays, "leaf": np.array([0, 0, -1], np.int32)})],
    ],
)
def test_steps_that_do_not_fit_are_refused(tmp_path, steps):
    archive.write(tmp_path / "a.npz", steps, 2, 2)
    with pytest.raises(StageError):
        archive.read(tmp_path / "a.npz")


def test_damage_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    archive.write(path, [SCALE], 2, 2)
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], whole[:-60], whole.replace(b"about", b"abuot")):
        path.write_bytes(damaged)
        with pytest.raises(StageError, match="train the model again"):
            archive.read(path)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", about=np.array([{"v": 1}], object))
    with pytest.raises(StageError):
        archive.read(tmp_path / "a.npz")
