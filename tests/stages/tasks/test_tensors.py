"""The task of a model that nobody has said more of: its inputs as files, its outputs as answers."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.task import load
from tests.stages.tasks import packages


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    model = packages.always((1, 2), [0.5, 2.0, -1.0])
    folder = tmp_path_factory.mktemp("packages") / "package"
    return load(packages.write(folder, "tensors", {}, model=model))


def test_an_array_is_answered_with_the_outputs(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, 2], np.float32))
    (raw,) = opened.read(tmp_path / "a.npy")
    (row,) = opened.rows(opened.answer(raw, opened.new_state()))
    assert (row["size"], row["highest"], row["value"]) == (3, 1, 2.0)
    assert row["values"] == [0.5, 2.0, -1.0]


def test_several_inputs_come_by_name_in_one_file(opened, tmp_path):
    ((name, _),) = opened._model.inputs.items()
    np.savez(tmp_path / "a.npz", **{name: np.array([1, 2], np.float32)})
    (raw,) = opened.read(tmp_path / "a.npz")
    assert opened.answer(raw, None)["outputs"]


def test_other_files_are_none_of_its_own(opened, tmp_path):
    assert opened.read(tmp_path / "a.png") is None


def test_a_model_of_pictures_scales_them_as_in_training(tmp_path):
    model = packages.always((1, 4, 4, 3), [1.0])
    about = {"picture": {"mean": 127.5, "deviation": 127.5}}
    task = load(packages.write(tmp_path / "package", "tensors", about, model=model))
    assert task.takes == "pictures"
    answer = task.answer(np.full((8, 6, 3), 255, np.uint8), None)
    assert task.rows(answer)[0]["value"] == 1.0
    assert task.draw(np.zeros((40, 40, 3), np.uint8), answer).any()


def test_a_model_of_no_pictures_says_what_to_give_it(tmp_path):
    model = packages.always((1, 2), [1.0])
    about = {"picture": {"mean": 0.0, "deviation": 255.0}}
    task = load(packages.write(tmp_path / "package", "tensors", about, model=model))
    with pytest.raises(
        StageError, match=r"takes \[1, 2\], and no picture: give its inputs as .npy"
    ):
        task.answer(np.zeros((8, 6, 3), np.uint8), None)
